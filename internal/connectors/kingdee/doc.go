// Package kingdee is the client of 金蝶云·星辰's service work orders (为谷's
// weigusoft interfaces behind the gateway api.kingdee.com): it authorises itself,
// sends handle-order, and reads bills and handling records through loadList.
//
// The dispatcher's stage "handle" calls it. It refuses to send a write a second
// time unless the first was certainly not run; to take an answer that it does not
// understand for "there are none"; and to let a token, an authority_info or a URL
// reach an error. What to do about a failure is for others to decide, by its kind.
package kingdee

// Package expr is the language of a mapping's expressions: CEL with the members
// of Weiban's objects declared, and with the helpers that an integrator needs.
//
// An expression is checked when a mapping is loaded: a misspelt member, a helper
// with the wrong arguments or a result of the wrong kind is an [Issue] with its
// place and the word that was meant. It reads one event and the tables and can
// do nothing else: no clock, no network, no state. It always ends: a cost limit
// bounds it, a deadline what loops, and helpers bound what they make. A value that
// is not there is an error that names the word, never an empty text.
//
// # Variables
//
//	callback      what Weiban announced; members of msg_data beside those of the envelope
//	work_order    the work order as it is now (in rules for work orders)
//	opportunity   the opportunity as it is now (in rules for opportunities)
//	flow          the row of processing_flows that the event is about; null if none can be tied
//	event         id, tenant, noun, status, time, position, origin of the event
//	fetched_at    when the detail was read
//	bill          id and orderNo of the Kingdee bill; in bodies only
//	raw           callback, work_order, opportunity as Weiban's JSON, for members without a type
//
// # Helpers
//
//	component(title)                      the one answer to that question of the form
//	componentOr(title, default)           likewise, default where it is not asked or not answered
//	components(title)                     all answers, a list
//	lookup(table, word)                   the row's first value
//	lookup(table, word, column)           the row's value in that column
//	lookupOr(table, word, default)        likewise, default where the table does not say
//	lookupOr(table, word, column, default)
//	flowStart(staff), flowEnd(staff)      when the staff member's last step up to the event began and ended
//	kingdeeTime(time)                     2025-07-17 08:11:41, China's time
//	kingdeeDate(time)                     2025-07-17
//	hours(from, to)                       decimal hours, exact
//	decimal(x), add, sub, mul, div(a, b)  exact decimals of int, decimal or text
//	round(x, places)                      half away from zero
//	progress(percent), progress(step, steps)
//	cut(text, n), trim(text), replace(text, old, new), split(text, sep), join(list, sep)
//	picturesBefore(), picturesAfter()     pictures of the order, and of the callback and its flow row
//	pictures(list)                        pictures at these addresses
package expr

// Package photos brings the pictures of a handle-order to Kingdee: it fetches each
// from the address where Weiban keeps it, uploads it to Kingdee's file service, and
// puts the address that it has there into the body. What is recorded of a call keeps
// the sources: an uploaded file may be short-lived, so each send uploads its own right
// before it.
//
// Where a picture comes from is written by strangers. So it is asked for over https
// alone, from hosts that the tenant's settings name, and never from an address that
// is not public: that is judged when the connection is made, after names are
// resolved and for every redirect again, and no proxy is asked. What comes is
// bounded while it is read, and is a picture by its content, not by its name.
//
// It refuses to send or to record anything, and to let an address reach an error:
// they name field, host and reason. Stage "handle" calls it through package dispatch.
package photos

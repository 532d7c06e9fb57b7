// Package history tells whether the stored parts belong together: the streams, the
// records of bucket STATE, and the sequences in the records that refer to the streams.
//
// A sequence means nothing by itself: a stream that was removed and created again, cut,
// or restored from an older copy gives the same numbers to other messages. So a
// record names the history of its sequences. One key of STATE, the [Record], names the
// present history and describes the streams when they were last seen: their life, and
// their newest message as a witness. If they do not fit any more a new history begins.
// In it every stored message is checked again, and recognised by its identity.
//
//	            no record       record          record, and it does not fit
//	STATE ────────┬───────────────┬───────────────────┬──────────────────
//	              │               │                   │
//	   streams know work?      unchanged        NEW HISTORY: recheck all that is
//	    no │        │ yes                       stored; with STATE gone or older,
//	       ▼        ▼                           no call before a conclusive look
//	   first start  NEW HISTORY (STATE lost)
//
// STATE itself is checked against its life and revision in bucket TABLES, and against
// the streams: no event may be later than its last write. From inside, an older copy of
// the whole store looks like a store that was not used for long. So after a silence
// longer than a lease, Kingdee is searched for the effects of older messages before a
// call is made.
//
// The package decides and keeps the record. It uses its given ports only, and changes no
// order: package dispatch does that, by the record.
package history

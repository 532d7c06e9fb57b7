// Package history tells whether what is stored belongs together: the streams, the
// records of bucket STATE, and the sequences by which the records know the streams.
//
// A sequence means nothing by itself: a stream that was removed and made again, cut,
// or put back from an older copy gives the same numbers to other messages. So a
// record names the history that its sequences belong to, and one key of STATE, the
// [Record], says which history that is now and what the streams looked like when
// they were last seen: their life, and their newest message as a witness. Where
// they do not fit any more a new history begins; in it every message that is still
// stored is looked at again, and known by its identity.
//
//	            no record       record          record, and it does not fit
//	STATE ────────┬───────────────┬───────────────────┬──────────────────
//	              │               │                   │
//	   streams know work?      unchanged        NEW HISTORY: recheck all that is
//	    no │        │ yes                       stored; with STATE gone or older,
//	       ▼        ▼                           no call before a look that counts
//	   first start  NEW HISTORY (STATE lost)
//
// STATE itself is known by a life and a revision in bucket TABLES, and by the
// streams: events of a later time than its last write. A store that is older as a
// whole looks from inside like one that nobody used for long; so after a silence
// longer than a lease, what was stored before is looked for before it is called.
//
// The package decides and keeps the record. It speaks to nobody but the ports that it
// is given, and changes no order: package dispatch does that, by what it is told here.
package history

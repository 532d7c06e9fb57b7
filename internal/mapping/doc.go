// Package mapping turns an enriched event into the Kingdee bill that it is about
// and the body of the handle-order call, by the rules that an integrator wrote.
//
// It is pure: it reads files when a mapping is loaded and nothing afterwards,
// calls no vendor, knows no clock, and gives the same body for the same event,
// tables and rules. It refuses a file with faults, naming all of them at once,
// and at run time it never fills a field with a guess: what cannot be known is a
// failure that names rule, field, expression and word. The dispatcher's handle
// stage calls it, and so do the commands that check, test and preview mappings.
//
// # The file
//
//	version: 1
//	bill:                                 # how an order finds its Kingdee bill: orderNo or id
//	  orderNo: ${component("金蝶工单号")}
//	  wait: 30m                           # how long to wait for a bill that Kingdee does not have yet; 0 if left out
//	otherwise: ignore                     # what no rule wants: ignore (default) or letter
//	tables:
//	  staff: {file: staff.csv}            # CSV or YAML beside this file
//	  cause: {rows: {漏水: 1895123256688528389}}
//	  extra: {columns: [id]}              # filled while the bridge runs
//	rules:                                # tried in order; the first that fits is taken
//	  - name: close
//	    noun: work_order                  # work_order (default) or opportunity
//	    when: callback.status in ["close", "closed"]
//	    late: skip                        # older than what was applied: skip, apply or letter (default)
//	    bill: {…}                         # instead of the file's bill, for this rule
//	    body:                             # the shape of handle-order's body_
//	      handlemanid: ${lookup("staff", work_order.handler_id)}
//	      wxztid: H
//
// A scalar is a literal unless the whole of it is ${…}, which is an expression
// (see package expr). There is no interpolation: a text that holds ${ elsewhere is
// a fault, and $${ begins a literal ${. `when` is always an expression, with or
// without the marks. Literals are taken as they are written: 0123 stays 0123.
// Anchors, aliases and merge keys (<<) of YAML work.
//
// Two fields of body_ may be left out although handle-order needs them: orderNo
// is then the bill's, combofield the same letter as wxztid. An expression that
// gives null or optional.none() leaves its field out.
package mapping

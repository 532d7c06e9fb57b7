package events

import (
	"context"
	"runtime"
	"strconv"
	"strings"
)

// Guard makes a panic a failure of kind [Internal]; it is to be deferred.
func Guard(f **Failure) {
	if p := recover(); p != nil {
		*f = Panicked(p)
	}
}

// Safely is op; a panic in it is a failure of kind [Internal].
func Safely(op func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = Panicked(p)
			}
		}()
		return op(ctx)
	}
}

// Panicked is the failure of a recovered panic: it names the place and none of the values.
// It must be called by the deferred function itself.
func Panicked(any) *Failure {
	return &Failure{Kind: Internal, Reason: "the bridge panicked; please report it: " + where()}
}

// where names the place of a panic without its values.
func where() string {
	var pc [16]uintptr
	frames := runtime.CallersFrames(pc[:runtime.Callers(5, pc[:])])
	for {
		f, more := frames.Next()
		if strings.HasPrefix(f.Function, "gongdan-bridge/") {
			return f.Function + ":" + strconv.Itoa(f.Line)
		}
		if !more {
			return "at an unknown place"
		}
	}
}

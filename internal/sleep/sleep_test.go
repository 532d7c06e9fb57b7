package sleep

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if !For(t.Context(), time.Minute) || time.Since(began) != time.Minute || !For(t.Context(), 0) {
			t.Errorf("a minute took %v", time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if For(ctx, time.Minute) || time.Since(began) != time.Minute+time.Second || For(ctx, 0) {
			t.Errorf("the context's end came after %v", time.Since(began))
		}
	})
}

package app

import (
	"context"
	"errors"
	"fmt"
)

// cleanups are what must be undone when the program stops, last first.
type cleanups struct{ steps []cleanup }

type cleanup struct {
	name string
	do   func(context.Context) error
}

func (c *cleanups) add(name string, do func(context.Context) error) {
	c.steps = append(c.steps, cleanup{name, do})
}

// run undoes everything; ctx bounds all of it. It may be called once.
func (c *cleanups) run(ctx context.Context) error {
	var all error
	for i := len(c.steps) - 1; i >= 0; i-- {
		if err := c.steps[i].do(ctx); err != nil {
			all = errors.Join(all, fmt.Errorf("stop %s: %w", c.steps[i].name, err))
		}
	}
	c.steps = nil
	return all
}

package expr

import (
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"gongdan-bridge/internal/mapping/facts"
)

// Missing is why an expression has no value.
type Missing = facts.Missing

func failed(m Missing) ref.Val { return types.WrapErr(&m) }

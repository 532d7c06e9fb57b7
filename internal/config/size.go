package config

import (
	"errors"
	"strconv"
	"strings"
)

// Size is a number of bytes.
type Size int64

// ParseSize reads a whole number with one of the units B, KiB, MiB, GiB, TiB.
func ParseSize(text string) (Size, error) {
	digits := strings.TrimRight(text, "BKMGTi")
	unit, known := sizeUnits()[text[len(digits):]]
	n, err := strconv.ParseInt(digits, 10, 64)
	if !known || err != nil || n < 0 || n > (1<<62)/int64(unit) {
		return 0, errors.New("parse size: not a whole number with B, KiB, MiB, GiB or TiB")
	}
	return Size(n) * unit, nil
}

// String is the size in the largest unit that leaves it whole, as [ParseSize] reads it.
func (s Size) String() string {
	best, unit := "B", Size(1)
	for name, factor := range sizeUnits() {
		if s != 0 && s%factor == 0 && factor > unit {
			best, unit = name, factor
		}
	}
	return strconv.FormatInt(int64(s/unit), 10) + best
}

func sizeUnits() map[string]Size {
	return map[string]Size{"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
}

// sizeHint is what 10GB, 512k or 1 m most likely meant, "" where it is not even a number.
func sizeHint(text string) string {
	digits := strings.TrimRight(text, "bBkKmMgGtTiI ")
	rest := strings.TrimSpace(text[len(digits):])
	if _, err := strconv.ParseUint(digits, 10, 62); err != nil || rest == "" {
		return ""
	}
	for unit := range sizeUnits() {
		if strings.EqualFold(rest[:1], unit[:1]) {
			return digits + unit
		}
	}
	return ""
}

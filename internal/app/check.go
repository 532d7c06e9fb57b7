package app

import (
	"errors"
	"fmt"
	"os"

	"gongdan-bridge/internal/app/vendors"
	"gongdan-bridge/internal/config"
	"gongdan-bridge/internal/mapping"
	"gongdan-bridge/internal/textfile"
)

// Check finds every fault with which a start would end that can be found without a
// connection, and the warnings of files without faults.
func Check(cfg *config.Config) (warnings textfile.Faults, err error) {
	warnings, err = CheckMappings(cfg)
	return append(cfg.Warnings(), warnings...), errors.Join(err, checkStart(cfg))
}

// checkStart makes of the configuration what a start makes of it before it connects.
func checkStart(cfg *config.Config) error {
	_, err := busOptions(cfg, "")
	if file := cfg.NATS.CredentialsFile; file != "" {
		if _, wrong := os.ReadFile(file); wrong != nil {
			err = errors.Join(err, fmt.Errorf("nats.credentials_file: %w", wrong))
		}
	}
	for _, t := range cfg.Tenants {
		if _, wrong := vendors.CallbackCodec(t); wrong != nil {
			err = errors.Join(err, fmt.Errorf("tenant %s: weiban.callbacks: %w", t.Name, wrong))
		}
	}
	return err
}

// CheckMappings compiles every tenant's mapping and reports all faults, or the warnings
// of mappings without faults.
func CheckMappings(cfg *config.Config) (warnings textfile.Faults, err error) {
	language, err := mapping.NewLanguage()
	if err != nil {
		return nil, err
	}
	for _, t := range cfg.Tenants {
		m, wrong := mapping.Load(t.Mapping, mapping.Options{Language: language})
		if err = errors.Join(err, wrong); wrong == nil {
			warnings = append(warnings, m.Warnings()...)
		}
	}
	return warnings, err
}

package facts

import (
	"fmt"
	"slices"
	"strings"

	"gongdan-bridge/internal/textfile"
)

// Titles lists what the order's form asks, in its order: titles of the
// components of a work order (表单组件), names of the properties of an opportunity
// (自定义字段).
func (f *Facts) Titles() []string {
	var out []string
	f.questions(func(title string, _ func() []string) bool {
		if !slices.Contains(out, title) {
			out = append(out, title)
		}
		return true
	})
	return out
}

// questions visits the form's questions, with a way to their answers, until
// visit says no.
func (f *Facts) questions(visit func(title string, answers func() []string) bool) {
	if f.WorkOrder != nil {
		for i := range f.WorkOrder.Components {
			c := &f.WorkOrder.Components[i]
			if !visit(string(c.Title), func() []string { return c.Answers() }) {
				return
			}
		}
	}
	if f.Opportunity != nil {
		for i := range f.Opportunity.PropertyList {
			p := &f.Opportunity.PropertyList[i]
			if !visit(string(p.FieldName), func() []string { return []string{string(p.Value)} }) {
				return
			}
		}
	}
}

// Answers is what was filled in under that title, nil where it is there and
// empty. It is an error where the form does not ask it, or asks it twice and got
// two different answers.
func (f *Facts) Answers(title string) ([]string, error) {
	found, asked, err := f.answers(title)
	switch {
	case err != nil:
		return nil, err
	case asked:
		return found, nil
	}
	if err := f.wholeForm(); err != nil {
		return nil, err
	}
	reason := "the form has no component"
	if near := textfile.Nearest(strings.TrimSpace(title), f.Titles()); near != "" {
		reason = fmt.Sprintf("the form has %q and no component", near)
	}
	return nil, &Missing{Word: textfile.Shorten(title), Reason: reason}
}

// Answer is the one answer under that title. No answer and several answers are
// errors: neither may become a text by chance.
func (f *Facts) Answer(title string) (string, error) {
	answers, err := f.Answers(title)
	if err != nil {
		return "", err
	}
	if len(answers) == 0 {
		return "", &Missing{Word: textfile.Shorten(title), Reason: "nothing was filled in under the form component"}
	}
	return single(title, answers)
}

// AnswerOr is the one answer under that title, or otherwise where the form does
// not ask it or nothing was filled in.
func (f *Facts) AnswerOr(title, otherwise string) (string, error) {
	answers, _, err := f.answers(title)
	if err != nil {
		return "", err
	}
	if len(answers) == 0 {
		return otherwise, f.wholeForm()
	}
	return single(title, answers)
}

// wholeForm is an error where not every row of the form could be read, so that it
// may ask more than is known.
func (f *Facts) wholeForm() error {
	switch {
	case f.WorkOrder != nil:
		return readable("", f.WorkOrder, "work_order_component_record_list")
	case f.Opportunity != nil:
		return readable("", f.Opportunity, "property_list")
	default:
		return nil
	}
}

func single(title string, answers []string) (string, error) {
	if len(answers) > 1 {
		reason := fmt.Sprintf("components() is for the %d answers of the form component", len(answers))
		return "", &Missing{Word: textfile.Shorten(title), Reason: reason}
	}
	return answers[0], nil
}

func (f *Facts) answers(title string) (found []string, asked bool, err error) {
	want := strings.TrimSpace(title)
	f.questions(func(t string, read func() []string) bool {
		if strings.TrimSpace(t) != want {
			return true
		}
		asked = true
		answers := filled(read())
		switch {
		case len(answers) == 0 || slices.Equal(found, answers):
		case found == nil:
			found = answers
		default:
			err = &Missing{Word: textfile.Shorten(title), Reason: "the form asks this twice and got two answers"}
		}
		return err == nil
	})
	return found, asked, err
}

func filled(answers []string) []string {
	out := answers[:0:0]
	for _, a := range answers {
		if a = strings.TrimSpace(a); a != "" {
			out = append(out, a)
		}
	}
	return out
}

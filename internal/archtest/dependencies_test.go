package archtest

import (
	"regexp"
	"strings"
	"testing"
)

// listed is a line of docs/dependencies.md: "| `module` | reason |".
var listed = regexp.MustCompile("(?m)^\\| `([^`]+)` \\| *(.*?) *\\|$")

// TestDependencies compares the modules that Go files import, on any system, with docs/dependencies.md.
func TestDependencies(t *testing.T) {
	t.Parallel()
	mod := readGoMod(t)
	required := make(map[string]bool)
	for _, r := range mod.Require {
		required[r.Mod.Path] = true
	}
	direct := make(map[string]string) // module to a file that imports it
	for _, f := range readGoFiles(t) {
		for _, imported := range f.imports {
			if isStandard(imported) || within(imported, module) {
				continue
			}
			owner := ""
			for path := range required {
				if within(imported, path) && len(path) > len(owner) {
					owner = path
				}
			}
			if owner == "" {
				t.Errorf("%s, which no module of go.mod has", place(f, imported))
				continue
			}
			direct[owner] = f.name
		}
	}
	text, _ := readText(t, "docs/dependencies.md")
	reasons := make(map[string]string)
	for _, line := range listed.FindAllStringSubmatch(text, -1) {
		if _, twice := reasons[line[1]]; twice {
			t.Errorf("docs/dependencies.md lists %s twice", line[1])
		}
		reasons[line[1]] = line[2]
	}
	for path, file := range direct {
		if len(strings.Fields(reasons[path])) < 3 {
			t.Errorf("%s imports the module %s, and docs/dependencies.md does not say why", file, path)
		}
	}
	for path := range reasons {
		if direct[path] == "" {
			t.Errorf("docs/dependencies.md lists %s, which nothing imports", path)
		}
	}
}

func TestNoReplace(t *testing.T) {
	t.Parallel()
	mod := readGoMod(t)
	for _, r := range mod.Replace {
		t.Errorf("go.mod replaces %s: with that, 'go install' refuses the module", r.Old.Path)
	}
	for _, e := range mod.Exclude {
		t.Errorf("go.mod excludes %s: with that, 'go install' refuses the module", e.Mod.Path)
	}
}

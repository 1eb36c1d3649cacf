package archtest

import (
	"go/ast"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestPackageDocs(t *testing.T) {
	t.Parallel()
	type doc struct{ name, text string }
	docs := make(map[string]doc)
	for _, f := range readGoFiles(t) {
		d := docs[f.dir]
		// The doc of a package of tests alone may be in a test file.
		if !f.test || d.name == "" {
			d.name = strings.TrimSuffix(f.syntax.Name.Name, "_test")
		}
		if f.syntax.Doc != nil && (!f.test || d.text == "") {
			d.text = f.syntax.Doc.Text()
		}
		docs[f.dir] = d
	}
	for dir, d := range docs {
		if d.name == "main" {
			if d.text == "" {
				t.Errorf("%s has no package comment that says what the command is for", dir)
			}
			continue
		}
		if want := "Package " + d.name + " "; !strings.HasPrefix(d.text, want) {
			t.Errorf("%s has no package comment that begins with %q and says what the package is for", dir, want)
		}
	}
}

func TestNoInit(t *testing.T) {
	t.Parallel()
	for _, f := range readGoFiles(t) {
		for _, declaration := range f.syntax.Decls {
			if function, ok := declaration.(*ast.FuncDecl); ok && function.Recv == nil && function.Name.Name == "init" {
				t.Errorf("%s has an init function; what it sets up belongs into a constructor", f.name)
			}
		}
	}
}

// The most lines of a file. About 600 is where to look for a seam.
const (
	maxLines     = 700
	maxTestLines = 1000
)

// longFiles may be longer, each for its reason.
var longFiles = map[string]string{}

func TestFileLength(t *testing.T) {
	t.Parallel()
	for _, f := range readGoFiles(t) {
		limit := maxLines
		if f.test {
			limit = maxTestLines
		}
		if f.lines > limit && longFiles[f.name] == "" && !ast.IsGenerated(f.syntax) {
			t.Errorf("%s has %d lines, and %d are allowed; look for a seam", f.name, f.lines, limit)
		}
	}
	for name := range longFiles {
		if !slices.Contains(trackedFiles(t), name) {
			t.Errorf("longFiles has %s, which is not there", name)
		}
	}
}

// unfinished are words that say that something is not done. They are put together here so that this file has none of them.
var unfinished = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X|HA` + `CK)\b`)

// machinePaths are paths that exist on the machine of whoever wrote them.
var machinePaths = regexp.MustCompile(`(?:^|[^\w.:/-])(/` + `work/\w|/` + `root/\w|/` + `home/\w|/` + `Users/\w|[A-Z]:\\` + `Users\\)`)

// foreign says whether a file's text is not the project's own: data of tests, and code that is shipped as its authors published it.
func foreign(name string) bool {
	return strings.Contains(name, "/testdata/") || strings.HasSuffix(name, ".min.js") || strings.HasSuffix(name, "/package-lock.json") ||
		strings.HasSuffix(name, "go.sum") || strings.Contains(name, "/vendor/")
}

func TestNothingUnfinished(t *testing.T) {
	t.Parallel()
	for _, name := range trackedFiles(t) {
		text, ok := readText(t, name)
		if !ok || foreign(name) {
			continue
		}
		for i, line := range strings.Split(text, "\n") {
			if word := unfinished.FindString(line); word != "" {
				t.Errorf("%s:%d says %s; do it, or write an issue", name, i+1, word)
			}
		}
	}
}

func TestNoMachinePaths(t *testing.T) {
	t.Parallel()
	for _, name := range trackedFiles(t) {
		text, ok := readText(t, name)
		if !ok {
			continue
		}
		for i, line := range strings.Split(text, "\n") {
			if found := machinePaths.FindStringSubmatch(line); found != nil {
				t.Errorf("%s:%d has a path of one machine: %s…", name, i+1, found[1])
			}
		}
	}
}

func TestPatterns(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"// TO" + "DO: later": true, "a FIX" + "ME b": true, "METHOD": false, "todos": false,
	} {
		if got := unfinished.MatchString(text); got != want {
			t.Errorf("%q is unfinished: %t, want %t", text, got, want)
		}
	}
	for text, want := range map[string]bool{
		`dir := "/` + `work/main"`: true, "/" + "home/me/x": true, `C:\` + `Users\me`: true, "(/" + "Users/me)": true,
		"https://example.com/" + "home/page": false, "/" + "roots": false, "a/" + "work/b": false,
	} {
		if got := machinePaths.MatchString(text); got != want {
			t.Errorf("%q is a path of one machine: %t, want %t", text, got, want)
		}
	}
}

func TestLicence(t *testing.T) {
	t.Parallel()
	text, _ := readText(t, "LICENSE")
	if !strings.HasPrefix(text, "MIT License\n") || !strings.Contains(text, "Permission is hereby granted, free of charge") {
		t.Error("LICENSE is not the MIT licence")
	}
}

// Package archtest holds the shape of the project as tests: which package may import which, that packages say what they are for, and what
// may be in the tree at all.
package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/mod/modfile"
)

const module = "github.com/hubgate/hubgate"

// goFile is a Go file of the main module, whatever system it is built for.
type goFile struct {
	name    string // from the root, with slashes
	dir     string // of name; "." for the root
	test    bool
	syntax  *ast.File
	imports []string
	lines   int
}

// readGoFiles parses all Go files of the main module. A file that does not parse is the compiler's matter.
func readGoFiles(t *testing.T) []goFile {
	t.Helper()
	var files []goFile
	fset := token.NewFileSet()
	for _, name := range trackedFiles(t) {
		if !strings.HasSuffix(name, ".go") || inOtherModule(t, name) || strings.Contains(name, "/testdata/") {
			continue
		}
		data, err := os.ReadFile(filepath.Join(root(t), filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		syntax, err := parser.ParseFile(fset, name, data, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			continue
		}
		f := goFile{name: name, dir: path.Dir(name), test: strings.HasSuffix(name, "_test.go"), syntax: syntax, lines: strings.Count(string(data), "\n")}
		for _, spec := range syntax.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			f.imports = append(f.imports, imported)
		}
		files = append(files, f)
	}
	if len(files) < 20 {
		t.Fatalf("found only %d Go files", len(files))
	}
	return files
}

// root is the directory of the main module.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// inOtherModule says whether a file belongs to a module below the main one.
func inOtherModule(t *testing.T, name string) bool {
	t.Helper()
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if _, err := os.Stat(filepath.Join(root(t), filepath.FromSlash(dir), "go.mod")); err == nil {
			return true
		}
	}
	return false
}

// trackedFiles are the files that git tracks or would track, from the root and with slashes; without git, all files.
func trackedFiles(t *testing.T) []string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	command.Dir = root(t)
	var names []string
	if out, err := command.Output(); err == nil {
		for name := range strings.SplitSeq(strings.Trim(string(out), "\x00"), "\x00") {
			// A file that was removed is listed until the removal is committed.
			if info, err := os.Lstat(filepath.Join(root(t), filepath.FromSlash(name))); err == nil && info.Mode().IsRegular() {
				names = append(names, name)
			}
		}
	} else {
		names = walk(t)
	}
	if len(names) == 0 {
		t.Fatal("found no files")
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func walk(t *testing.T) []string {
	t.Helper()
	var names []string
	err := fs.WalkDir(os.DirFS(root(t)), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && name != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "node_modules") {
			return fs.SkipDir
		}
		if entry.Type().IsRegular() {
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// readText reads a tracked file; ok is false when it is not a text, or so large that it can only be data.
func readText(t *testing.T, name string) (text string, ok bool) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root(t), filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	if len(data) > 2<<20 || !utf8.Valid(data) || strings.ContainsRune(string(data), 0) {
		return "", false
	}
	return string(data), true
}

func readGoMod(t *testing.T) *modfile.File {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root(t), "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	mod, err := modfile.Parse("go.mod", data, nil)
	if err != nil {
		t.Fatal(err)
	}
	return mod
}

// within says whether a directory or an import path is one of the parents or lies below one.
func within(name string, parents ...string) bool {
	return slices.ContainsFunc(parents, func(parent string) bool {
		return name == parent || strings.HasPrefix(name, parent+"/")
	})
}

// place is "file: package" for messages.
func place(f goFile, imported string) string { return fmt.Sprintf("%s imports %s", f.name, imported) }

// Structure counts what tells how a code base is built: lines a package, lines a function, files a
// package, methods a type, methods an interface. Tests and generated code are left out. It is a
// report, and never fails.
package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
)

// A count is how much there is of something.
type count struct {
	of string
	n  int
}

// counts are in no order.
type counts []count

// at is the count that a part of the others does not exceed.
func (c counts) at(part float64) int {
	if len(c) == 0 {
		return 0
	}
	slices.SortFunc(c, func(a, b count) int { return cmp.Compare(a.n, b.n) })
	return c[int(part*float64(len(c)-1))].n
}

// most is the largest count.
func (c counts) most() count {
	if len(c) == 0 {
		return count{}
	}
	return slices.MaxFunc(c, func(a, b count) int { return cmp.Compare(a.n, b.n) })
}

// code is what was counted.
type code struct {
	fset       *token.FileSet
	lines      map[string]int // by package
	files      map[string]int
	methods    map[string]int // by package and type
	functions  counts
	interfaces counts
}

func main() {
	roots := os.Args[1:]
	if len(roots) == 0 {
		roots = []string{"."}
	}
	c := code{fset: token.NewFileSet(), lines: map[string]int{}, files: map[string]int{}, methods: map[string]int{}}
	for _, root := range roots {
		if err := filepath.WalkDir(root, c.visit); err != nil {
			log.Fatalf("count the code beneath %s: %v", root, err)
		}
	}
	c.report()
}

// visit counts one file, and skips directories without code of ours.
func (c *code) visit(path string, d fs.DirEntry, err error) error {
	switch name := filepath.Base(path); {
	case err != nil:
		return err
	case d.IsDir() && (name == "gen" || name == "testdata" || name == "node_modules" || strings.HasPrefix(name, ".") && name != "."):
		return filepath.SkipDir
	case d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
		return nil
	}
	file, err := parser.ParseFile(c.fset, path, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	if !ast.IsGenerated(file) {
		c.file(filepath.Dir(path), file)
	}
	return nil
}

func (c *code) file(pkg string, file *ast.File) {
	c.files[pkg]++
	c.lines[pkg] += c.span(file.FileStart, file.FileEnd)
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			c.functions = append(c.functions, count{pkg + "." + n.Name.Name, c.span(n.Pos(), n.End())})
			if n.Recv != nil {
				c.methods[pkg+"."+receiver(n.Recv.List[0].Type)]++
			}
		case *ast.TypeSpec:
			if i, ok := n.Type.(*ast.InterfaceType); ok {
				c.interfaces = append(c.interfaces, count{pkg + "." + n.Name.Name, len(i.Methods.List)})
			}
		}
		return true
	})
}

// span is how many lines there are from one position to another.
func (c *code) span(from, to token.Pos) int {
	return c.fset.Position(to).Line - c.fset.Position(from).Line + 1
}

// receiver is the name of a method's type.
func receiver(t ast.Expr) string {
	switch t := t.(type) {
	case *ast.StarExpr:
		return receiver(t.X)
	case *ast.IndexExpr:
		return receiver(t.X)
	case *ast.IndexListExpr:
		return receiver(t.X)
	case *ast.Ident:
		return t.Name
	}
	return "?"
}

func countsOf(m map[string]int) counts {
	var all counts
	for of, n := range m {
		all = append(all, count{of, n})
	}
	return all
}

func (c *code) report() {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\tp50\tp90\tmost\t")
	for _, row := range []struct {
		what string
		counts
	}{
		{"lines a package", countsOf(c.lines)},
		{"files a package", countsOf(c.files)},
		{"lines a function", c.functions},
		{"methods a type", countsOf(c.methods)},
		{"methods an interface", c.interfaces},
	} {
		most := row.most()
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%s\n", row.what, row.at(0.5), row.at(0.9), most.n, most.of)
	}
	if err := w.Flush(); err != nil {
		log.Fatal(err)
	}
}

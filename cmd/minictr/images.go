package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"minictr/pkg/engine"
	"minictr/pkg/image"
)

func newImages(a *app) *cobra.Command {
	var f imagesFlags
	cmd := &cobra.Command{
		Use:   "images [OPTIONS] [REPOSITORY[:TAG]]",
		Short: "List images",
		Long: `List the images that are on this machine.

They are kept in an OCI image layout (MINICTR_ROOT/images), which other tools
can read, and unpacked once per layer (MINICTR_ROOT/layers): containers and
images share layers, so the sizes add up to more than the disk holds.`,
		Example: `  minictr images
  minictr images alpine
  minictr images --digests --no-trunc`,
		Args: atMost(1, "at most one repository"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.images(cmd, args, f) },
	}
	fs := cmd.Flags()
	fs.BoolVarP(&f.all, "all", "a", false, "the same as without (there are no intermediate images)")
	fs.BoolVarP(&f.quiet, "quiet", "q", false, "print IDs only")
	fs.BoolVar(&f.noTrunc, "no-trunc", false, "print IDs in full length")
	fs.BoolVar(&f.digests, "digests", false, "show the manifests' digests")
	fs.StringVar(&f.format, "format", "", "json, or a Go `template` such as '{{.Repository}}:{{.Tag}}'")
	addFilter(fs, &f.filters, "only images with `KEY=VALUE`: dangling, label, before, since, until, reference")
	refuse(fs, "tree!")
	return cmd
}

type imagesFlags struct {
	all, quiet, noTrunc, digests bool
	format                       string
	filters                      engine.Filters
}

// imageRow has docker's names for what a template may ask for.
type imageRow struct {
	Containers   string
	CreatedAt    string
	CreatedSince string
	Digest       string
	ID           string
	Repository   string
	SharedSize   string
	Size         string
	Tag          string
	UniqueSize   string
	VirtualSize  string

	created time.Time
}

func (a *app) images(cmd *cobra.Command, args []string, f imagesFlags) error {
	e, err := a.engine(cmd.Context())
	if err != nil {
		return err
	}
	list, err := e.Images.List()
	if err != nil {
		return err
	}
	if list, err = e.SelectImages(list, f.filters); err != nil {
		return err
	}
	if len(args) == 1 && strings.ContainsAny(args[0], "*?[") { // a pattern, and no name
		if list, err = e.SelectImages(list, engine.Filters{"reference": {args[0]}}); err != nil {
			return err
		}
		args = nil
	}
	var rows []imageRow
	for _, img := range list {
		r, err := imageRows(img, !f.noTrunc)
		if err != nil {
			return err
		}
		rows = append(rows, r...)
	}
	if len(args) == 1 {
		if rows, err = matching(rows, args[0]); err != nil {
			return err
		}
	}
	slices.SortStableFunc(rows, func(x, y imageRow) int { return y.created.Compare(x.created) })
	return a.printImages(rows, f)
}

// imageTitles are the columns of images.
var imageTitles = headers{
	"CreatedAt": "CREATED AT", "CreatedSince": "CREATED", "Digest": "DIGEST", "ID": "IMAGE ID", "Repository": "REPOSITORY",
	"Size": "SIZE", "Tag": "TAG", "Containers": "CONTAINERS", "SharedSize": "SHARED SIZE", "UniqueSize": "UNIQUE SIZE",
	"VirtualSize": "SIZE",
}

// imageRows are one row for each name of an image.
func imageRows(img *image.Image, truncate bool) ([]imageRow, error) {
	size, err := img.UnpackedSize()
	if err != nil {
		return nil, err
	}
	row := imageRow{
		CreatedAt: img.Created.Local().Format("2006-01-02 15:04:05 -0700 MST"), CreatedSince: ago(img.Created),
		Digest: img.Descriptor.Digest.String(), ID: img.ID.String(), Size: units.HumanSizeWithPrecision(float64(size), 3),
		Repository: "<none>", Tag: "<none>", created: img.Created,
		Containers: "N/A", SharedSize: "N/A", UniqueSize: "N/A", // system df -v counts these
	}
	row.VirtualSize = row.Size
	if truncate {
		row.ID = img.ShortID()
	}
	if len(img.Names) == 0 {
		return []imageRow{row}, nil
	}
	var rows []imageRow
	for _, n := range img.Names {
		row.Repository, row.Tag = n.FamiliarRepository(), n.Tag
		rows = append(rows, row)
	}
	return rows, nil
}

// matching keeps the rows of a repository, or of one tag of it.
func matching(rows []imageRow, pattern string) ([]imageRow, error) {
	name, err := image.ParseName(pattern)
	if err != nil {
		return nil, err
	}
	tagged := pattern != name.FamiliarRepository() && pattern != name.Repository()
	return slices.DeleteFunc(rows, func(r imageRow) bool {
		return r.Repository != name.FamiliarRepository() || tagged && r.Tag != name.Tag
	}), nil
}

func (a *app) printImages(rows []imageRow, f imagesFlags) error {
	switch {
	case f.quiet:
		for i, r := range rows {
			if !slices.ContainsFunc(rows[:i], func(o imageRow) bool { return o.ID == r.ID }) {
				fmt.Fprintln(a.out, r.ID)
			}
		}
		return nil
	case f.format != "" && f.format != "table":
		return formatted(a.out, f.format, imageTitles, rows)
	}
	header := []string{"REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"}
	if f.digests {
		header = slices.Insert(header, 2, "DIGEST")
	}
	var lines [][]string
	for _, r := range rows {
		line := []string{r.Repository, r.Tag, r.ID, r.CreatedSince, r.Size}
		if f.digests {
			line = slices.Insert(line, 2, r.Digest)
		}
		lines = append(lines, line)
	}
	return table(a.out, header, lines)
}

func newRmi(a *app) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "rmi [OPTIONS] IMAGE...",
		Short: "Remove images",
		Long: `Remove images. A name is taken away; with its last name the image goes, and
with it every layer that no other image needs.`,
		Example: `  minictr rmi alpine
  minictr rmi -f 1d34ffeaf190`,
		Args:              atLeast(1, "at least one image"),
		ValidArgsFunction: a.completeImages,
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := a.engine(cmd.Context())
			if err != nil {
				return err
			}
			return a.each(args, func(ref string) (string, error) {
				removed, err := e.RemoveImage(ref, force)
				if force && errors.Is(err, image.ErrNotFound) { // told, and what was wanted all the same
					a.complain(nil, err)
					err = nil
				}
				for _, r := range removed {
					if r.Untagged != "" {
						fmt.Fprintln(a.out, "Untagged:", r.Untagged)
					} else {
						fmt.Fprintln(a.out, "Deleted:", r.Deleted)
					}
				}
				return "", err
			})
		},
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "also if containers or several names need it")
	cmd.Flags().Bool("no-prune", false, "the same as without (there are no untagged parents)")
	refuse(cmd.Flags(), "platform")
	return cmd
}

func newTag(a *app) *cobra.Command {
	return &cobra.Command{
		Use:               "tag SOURCE[:TAG] TARGET[:TAG]",
		Short:             "Give an image another name",
		Example:           `  minictr tag alpine registry.example.org/base:1`,
		Args:              exactly(2, "an image and its new name"),
		ValidArgsFunction: completeFirst(a.completeImages),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := a.engine(cmd.Context())
			if err != nil {
				return err
			}
			return e.TagImage(args[0], args[1])
		},
	}
}

// source opens a file, or standard input for "-" and "".
func source(path string) (*os.File, error) {
	if path == "" || path == "-" {
		return os.Stdin, nil
	}
	return os.Open(path)
}

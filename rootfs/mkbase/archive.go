package main

import (
	"archive/tar"
	"cmp"
	"compress/gzip"
	"io"
	"slices"
	"strings"
	"time"
)

// epoch is the modification time of everything in the image. Any fixed time would do; it must not be the time of the
// build, or two builds of the same busybox would have different digests.
var epoch = time.Unix(0, 0)

// write turns entries into a gzip-compressed tar archive whose bytes depend on the entries alone: sorted by name
// (which also puts a directory before what is in it), owned by 0:0 without user names, with one fixed time, and with
// no time and no file name in the gzip header.
func write(to io.Writer, entries []entry) error {
	compressed, err := gzip.NewWriterLevel(to, gzip.BestCompression)
	if err != nil {
		return err
	}
	archive := tar.NewWriter(compressed)
	sorted := slices.SortedFunc(slices.Values(entries), func(a, b entry) int { return cmp.Compare(a.name, b.name) })
	for _, member := range sorted {
		if err := archive.WriteHeader(header(member)); err != nil {
			return err
		}
		if _, err := io.WriteString(archive, member.data); err != nil {
			return err
		}
	}
	if err := archive.Close(); err != nil {
		return err
	}
	return compressed.Close()
}

func header(member entry) *tar.Header {
	h := &tar.Header{
		Format:   tar.FormatUSTAR,
		Typeflag: tar.TypeReg,
		Name:     member.name,
		Mode:     member.mode,
		Size:     int64(len(member.data)),
		ModTime:  epoch,
	}
	switch {
	case member.link != "":
		h.Typeflag, h.Linkname = tar.TypeSymlink, member.link
	case strings.HasSuffix(member.name, "/"):
		h.Typeflag = tar.TypeDir
	}
	return h
}

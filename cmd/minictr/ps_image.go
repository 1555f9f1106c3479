package main

import (
	"slices"
	"strings"

	"minictr/pkg/engine"
	"minictr/pkg/image"
)

// imageWords are what lists call the images of containers: as the user did, unless
// that name is another image's by now.
func imageWords(s *image.Store, list []*engine.Container) (map[*engine.Container]string, error) {
	var names []string
	for _, c := range list {
		if !strings.HasPrefix(c.Image.ID, "sha256:"+c.Image.Name) && !slices.Contains(names, c.Image.Name) {
			names = append(names, c.Image.Name)
		}
	}
	ids, err := s.IDs(names...)
	words := make(map[*engine.Container]string, len(list))
	for _, c := range list {
		words[c] = c.Image.Name
		if id, ok := ids[c.Image.Name]; ok && id.String() != c.Image.ID {
			words[c] = c.Image.ID
		}
	}
	return words, err
}

// shortImage shortens an ID, where there is no name.
func shortImage(word string) string {
	if hex, ok := strings.CutPrefix(word, "sha256:"); ok {
		word = hex
	}
	if len(word) == 64 {
		return word[:12]
	}
	return word
}

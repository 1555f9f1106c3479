package engine

import (
	"time"

	"minictr/pkg/engine/config"
)

// ImageInspection is everything about an image, in docker's words.
type ImageInspection struct {
	ID            string `json:"Id"`
	RepoTags      []string
	RepoDigests   []string
	Parent        string // nothing is kept of what an image was built from
	Comment       string
	Created       time.Time
	DockerVersion string
	Author        string
	Config        InspectConfig
	Architecture  string
	Variant       string `json:",omitempty"`
	Os            string
	OsVersion     string `json:",omitempty"`
	Size          int64
	GraphDriver   InspectGraphDriver
	RootFS        InspectRootFS
	Metadata      InspectMetadata
	Descriptor    any
	LayerMappings []LayerNames
}

// InspectMetadata is what docker knows of an image beside its content. When a name
// was given is not kept.
type InspectMetadata struct{ LastTagTime time.Time }

// InspectRootFS lists the content digests of the layers.
type InspectRootFS struct {
	Type   string
	Layers []string
}

// LayerNames are the three names of one layer, which docker shows in three
// different places.
type LayerNames struct {
	DistributionDigest string // of the compressed layer in a registry
	ContentDigest      string // of the tar inside: the diff ID
	Directory          string // where it is unpacked
}

// InspectImage tells everything about an image.
func (e *Engine) InspectImage(ref string) (*ImageInspection, error) {
	img, err := e.Images.Get(ref)
	if err != nil {
		return nil, err
	}
	size, err := img.UnpackedSize()
	if err != nil {
		return nil, err
	}
	c := img.Config.Config
	i := &ImageInspection{
		ID: img.ID.String(), RepoTags: []string{}, RepoDigests: img.RepoDigests, Created: img.Created, Author: img.Config.Author,
		Architecture: img.Config.Architecture, Variant: img.Config.Variant, Os: img.Config.OS, Size: size,
		Descriptor: img.Descriptor, RootFS: InspectRootFS{Type: "layers", Layers: []string{}},
		GraphDriver: InspectGraphDriver{Name: "overlay2", Data: map[string]string{}},
		Config: InspectConfig{
			User: c.User, ExposedPorts: c.ExposedPorts, Env: c.Env, Cmd: c.Cmd, Volumes: c.Volumes, WorkingDir: c.WorkingDir,
			Entrypoint: c.Entrypoint, Labels: c.Labels, StopSignal: c.StopSignal, OnBuild: img.OnBuild,
		},
	}
	if img.Health != nil {
		h := config.Health(*img.Health)
		i.Config.Healthcheck = &h
	}
	if i.RepoDigests == nil {
		i.RepoDigests = []string{}
	}
	for _, n := range img.Names {
		i.RepoTags = append(i.RepoTags, n.Familiar())
	}
	for _, l := range img.Layers {
		i.RootFS.Layers = append(i.RootFS.Layers, l.DiffID.String())
		i.LayerMappings = append(i.LayerMappings, LayerNames{l.Digest.String(), l.DiffID.String(), l.Dir})
	}
	for _, h := range img.Config.History {
		i.Comment = h.Comment
	}
	return i, nil
}

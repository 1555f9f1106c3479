package ocispec

import "minictr/pkg/image/digest"

// Descriptor points to content: what it is, its digest, its size. Documents
// name each other by it (descriptor.md, Properties).
type Descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      digest.Digest     `json:"digest"`
	Size        int64             `json:"size"`                  // bytes
	URLs        []string          `json:"urls,omitempty"`        // where else the content may be had
	Annotations map[string]string `json:"annotations,omitempty"` // by keys of annotations.md, or anybody's
	Data        []byte            `json:"data,omitempty"`        // the content itself, if it is small

	// Platform says which machines a manifest is for; only an index's
	// descriptors have it.
	Platform *Platform `json:"platform,omitempty"`

	ArtifactType string `json:"artifactType,omitempty"` // of a manifest that is no container image
}

// Platform is a kind of machine, in the words of Go's GOOS and GOARCH
// (image-index.md, Image Index Property Descriptions: platform).
type Platform struct {
	Architecture string   `json:"architecture"` // amd64, arm64, …
	OS           string   `json:"os"`           // linux, windows, …
	OSVersion    string   `json:"os.version,omitempty"`
	OSFeatures   []string `json:"os.features,omitempty"`
	Variant      string   `json:"variant,omitempty"` // of the CPU: v7 of arm
}

// AnnotationRefName is the key of a name for what a descriptor in an image
// layout's index points to (annotations.md, Pre-Defined Annotation Keys).
const AnnotationRefName = "org.opencontainers.image.ref.name"

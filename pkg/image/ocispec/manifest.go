package ocispec

// Versioned is what manifests and indexes have in common with older formats:
// by SchemaVersion a reader knows which one it is. It is 2 (manifest.md and
// image-index.md: schemaVersion).
type Versioned struct {
	SchemaVersion int `json:"schemaVersion"`
}

// Index lists manifests of one image for several platforms (image-index.md).
// In an image layout it is the list of all that the layout holds.
type Index struct {
	Versioned

	MediaType    string            `json:"mediaType,omitempty"`    // MediaTypeImageIndex
	ArtifactType string            `json:"artifactType,omitempty"` // of an index that is no container image
	Manifests    []Descriptor      `json:"manifests"`
	Subject      *Descriptor       `json:"subject,omitempty"` // the manifest that this one is about, a signature's for example
	Annotations  map[string]string `json:"annotations,omitempty"`
}

// Manifest names the config and the layers of an image for one platform
// (manifest.md).
type Manifest struct {
	Versioned

	MediaType    string            `json:"mediaType,omitempty"`    // MediaTypeImageManifest
	ArtifactType string            `json:"artifactType,omitempty"` // of a manifest that is no container image
	Config       Descriptor        `json:"config"`
	Layers       []Descriptor      `json:"layers"`            // the bottom one first
	Subject      *Descriptor       `json:"subject,omitempty"` // the manifest that this one is about, a signature's for example
	Annotations  map[string]string `json:"annotations,omitempty"`
}

// Media types of documents and layers (media-types.md).
const (
	MediaTypeImageIndex    = "application/vnd.oci.image.index.v1+json"
	MediaTypeImageManifest = "application/vnd.oci.image.manifest.v1+json"
	MediaTypeImageConfig   = "application/vnd.oci.image.config.v1+json"

	MediaTypeImageLayer     = "application/vnd.oci.image.layer.v1.tar"
	MediaTypeImageLayerGzip = "application/vnd.oci.image.layer.v1.tar+gzip"
	MediaTypeImageLayerZstd = "application/vnd.oci.image.layer.v1.tar+zstd"
)

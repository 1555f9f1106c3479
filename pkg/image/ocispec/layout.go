package ocispec

// An image layout is a directory of blobs (image-layout.md, Content).
const (
	ImageLayoutFile    = "oci-layout" // holds an ImageLayout
	ImageLayoutVersion = "1.0.0"
	ImageIndexFile     = "index.json" // holds an Index: the way in
)

// ImageLayout says which version of the layout a directory has
// (image-layout.md, oci-layout file).
type ImageLayout struct {
	Version string `json:"imageLayoutVersion"`
}

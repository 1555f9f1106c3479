package ocispec

import (
	"time"

	"minictr/pkg/image/digest"
)

// Image is an image's config: what to run, and what the layers must unpack to
// (config.md, Properties). Its digest is the image's ID.
type Image struct {
	Created *time.Time `json:"created,omitempty"`
	Author  string     `json:"author,omitempty"`

	Platform // for which the image was built

	Config  ImageConfig `json:"config,omitempty"`
	RootFS  RootFS      `json:"rootfs"`
	History []History   `json:"history,omitempty"`
}

// ImageConfig is how a container of the image is started, unless its user says
// otherwise (config.md, Properties: config). The names in JSON are docker's,
// from before there was a specification.
type ImageConfig struct {
	User         string              `json:"User,omitempty"`         // user[:group], by name or number
	ExposedPorts map[string]struct{} `json:"ExposedPorts,omitempty"` // 80/tcp, 53/udp, 8080
	Env          []string            `json:"Env,omitempty"`          // NAME=value
	Entrypoint   []string            `json:"Entrypoint,omitempty"`
	Cmd          []string            `json:"Cmd,omitempty"`     // Entrypoint's arguments, or the command if there is none
	Volumes      map[string]struct{} `json:"Volumes,omitempty"` // directories
	WorkingDir   string              `json:"WorkingDir,omitempty"`
	Labels       map[string]string   `json:"Labels,omitempty"`
	StopSignal   string              `json:"StopSignal,omitempty"`  // SIGNAME or a number
	ArgsEscaped  bool                `json:"ArgsEscaped,omitempty"` // Windows only, and deprecated
}

// RootFS lists the layers by the digests of their tars, whatever they were
// compressed with on their way (config.md, Properties: rootfs).
type RootFS struct {
	Type    string          `json:"type"`     // "layers"
	DiffIDs []digest.Digest `json:"diff_ids"` // the bottom one first
}

// History tells how the image was built, step by step (config.md, Properties:
// history).
type History struct {
	Created    *time.Time `json:"created,omitempty"`
	CreatedBy  string     `json:"created_by,omitempty"` // the command
	Author     string     `json:"author,omitempty"`
	Comment    string     `json:"comment,omitempty"`
	EmptyLayer bool       `json:"empty_layer,omitempty"` // the step made no layer
}

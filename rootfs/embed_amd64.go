package rootfs

import "embed"

//go:embed all:built/amd64
var built embed.FS

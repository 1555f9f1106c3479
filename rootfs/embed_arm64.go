package rootfs

import "embed"

//go:embed all:built/arm64
var built embed.FS

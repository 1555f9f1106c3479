package engine

import "minictr/pkg/image"

// DiskUsage is what lies on the disk, by kind.
type DiskUsage struct {
	LayersSize int64 // all layers, each once, unpacked
	LayersUsed int64 // of them those that containers stand on
	Images     []ImageUsage
	Containers []ContainerUsage
	Volumes    []VolumeUsage
}

// ImageUsage is one image. Shared are the bytes of layers that other images
// have too.
type ImageUsage struct {
	*image.Image
	Size, Shared int64
	Containers   int
}

// ContainerUsage is one container and what it has written.
type ContainerUsage struct {
	*Container
	Written int64
}

// VolumeUsage is one volume and how many containers have it.
type VolumeUsage struct {
	VolumeEntry
	Size  int64
	Links int
}

// DiskUsage measures everything. It looks at every file of containers and
// volumes; what images take is known.
func (e *Engine) DiskUsage() (*DiskUsage, error) {
	images, err := e.Images.List()
	if err != nil {
		return nil, err
	}
	containers, err := e.List()
	if err != nil {
		return nil, err
	}
	volumes, err := e.SelectVolumes(nil)
	if err != nil {
		return nil, err
	}
	u := &DiskUsage{}
	u.addImages(images, containers)
	for _, c := range containers {
		written, _, err := e.Size(c)
		if err != nil {
			return nil, err
		}
		u.Containers = append(u.Containers, ContainerUsage{c, written})
	}
	for _, v := range volumes {
		links := 0
		for _, c := range containers {
			if c.uses(v.Name) {
				links++
			}
		}
		u.Volumes = append(u.Volumes, VolumeUsage{v, diskUsage(v.Data), links})
	}
	return u, nil
}

func (u *DiskUsage) addImages(images []*image.Image, containers []*Container) {
	sizes := layerSizes(images)
	users := make(map[string]int) // images that have a layer
	for _, img := range images {
		for _, dir := range img.LowerDirs() {
			users[dir]++
		}
	}
	stoodOn := make(map[string]bool)
	for _, c := range containers {
		for _, dir := range c.Layers {
			stoodOn[dir] = true
		}
	}
	for dir, size := range sizes {
		u.LayersSize += size
		if stoodOn[dir] {
			u.LayersUsed += size
		}
	}
	for _, img := range images {
		i := ImageUsage{Image: img}
		for _, dir := range img.LowerDirs() {
			i.Size += sizes[dir]
			if users[dir] > 1 {
				i.Shared += sizes[dir]
			}
		}
		for _, c := range containers {
			if c.Image.ID == img.ID.String() {
				i.Containers++
			}
		}
		u.Images = append(u.Images, i)
	}
}

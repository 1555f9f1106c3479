// Package book knows the chapters of "Docker Deep Dive" (Nigel Poulton) and of
// the course that goes with it, so that the rest of the code can say which
// chapter a kernel call belongs to.
//
// Editions renumber chapters; a [Topic] has a name of its own and maps to both
// numberings. The package is data: it imports nothing and quotes nothing.
package book

import "fmt"

// Topic is one idea of the book.
type Topic string

// The topics that minictr's steps and commands illustrate.
const (
	Containers   Topic = "containers"    // what a container is, its life
	Engine       Topic = "engine"        // CLI, daemon, containerd, shim, runc
	OCI          Topic = "oci"           // the open specifications
	Images       Topic = "images"        // layers, manifests, registries
	CopyOnWrite  Topic = "copy-on-write" // storage drivers, overlay2
	Namespaces   Topic = "namespaces"
	Cgroups      Topic = "cgroups"
	Capabilities Topic = "capabilities"
	Seccomp      Topic = "seccomp"
	MAC          Topic = "mac" // AppArmor and SELinux
	Networking   Topic = "networking"
	PortMapping  Topic = "port-mapping"
	Volumes      Topic = "volumes"
	Secrets      Topic = "secrets"
	Logging      Topic = "logging"
	Terminal     Topic = "terminal" // attaching, detaching, exec
)

// Reference is where a topic stands in the book and in the course.
type Reference struct {
	Title   string // the topic as a reader would name it
	Chapter string // the book's chapter title
	Number  int    // its number in the edition the notes follow
	Course  string // the course's module
}

var references = map[Topic]Reference{
	Containers:   {"What a container is", "Containers", 7, "Containers"},
	Engine:       {"The parts of the engine", "The Docker Engine", 5, "Architecture and theory"},
	OCI:          {"The Open Container Initiative", "The Docker Engine", 5, "Architecture and theory"},
	Images:       {"Images and layers", "Images", 6, "Working with images"},
	CopyOnWrite:  {"Copy-on-write storage", "Installing Docker", 3, "Working with images"},
	Namespaces:   {"Kernel namespaces", "Security in Docker", 15, "Architecture and theory"},
	Cgroups:      {"Control groups", "Security in Docker", 15, "Architecture and theory"},
	Capabilities: {"Capabilities", "Security in Docker", 15, "Architecture and theory"},
	Seccomp:      {"System call filters", "Security in Docker", 15, "Architecture and theory"},
	MAC:          {"Mandatory access control", "Security in Docker", 15, "Architecture and theory"},
	Networking:   {"Single-host bridge networks", "Docker Networking", 11, "Container networking"},
	PortMapping:  {"Port mapping", "Docker Networking", 11, "Container networking"},
	Volumes:      {"Volumes and persistent data", "Volumes and persistent data", 13, "Volumes and persistent data"},
	Secrets:      {"Secrets", "Security in Docker", 15, "Secrets"},
	Logging:      {"Container logs", "Containers", 7, "Containers"},
	Terminal:     {"Attaching and detaching", "Containers", 7, "Containers"},
}

// Ref returns where t stands. A topic without an entry is a programming error
// that the package's test finds.
func (t Topic) Ref() Reference { return references[t] }

// String cites t briefly: "ch. 15 Security in Docker".
func (t Topic) String() string {
	r, ok := references[t]
	if !ok {
		return string(t)
	}
	return fmt.Sprintf("ch. %d %s", r.Number, r.Chapter)
}

// Topics returns all topics, in no particular order.
func Topics() []Topic {
	all := make([]Topic, 0, len(references))
	for t := range references {
		all = append(all, t)
	}
	return all
}

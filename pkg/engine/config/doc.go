// Package config is what a user can ask of a container, and the grammar they
// ask it in.
//
// # The problem
//
// `docker run` has a hundred flags, and each has grown a small language of its
// own: -v SRC:DST:OPTIONS, -p IP:HOST:CONTAINER/PROTOCOL with ranges, 256m,
// 1.5 CPUs. The same values come from elsewhere too (the API, compose files),
// so their grammar belongs to nobody's command line.
//
// # What we do
//
// Config is the whole wish as plain data; it is kept in the container's
// container.json and read by people there. Each Parse function reads one value
// as docker does and says in one line what is wrong with it. Validate finds
// wishes that contradict each other. Nothing here looks at the machine: the
// same input gives the same answer everywhere.
//
// # What is left out
//
// What a wish becomes (package bundle), and everything that needs the kernel.
//
// See chapter "Containers" of the book; docker-run(1).
package config

// Package logging keeps what containers print, and prints it again.
//
// # The problem
//
// A container's output goes through a pipe or a terminal; nobody may be
// reading at the other end of it. What is not kept when it arrives is lost,
// and what is kept must be told apart again: which stream, which moment, which
// line. Output comes in pieces of any size, lines end where they like or not
// at all, and bytes need not be text.
//
// # What the formats offer
//
// Docker's json-file driver writes one JSON object a line:
//
//	{"log":"hello\n","stream":"stdout","time":"2024-05-01T12:00:00.5Z"}
//
// Other tools read these files, so the format is kept to the letter: what is
// escaped and how, times without trailing zeros, a line of more than 16 KiB in
// several objects of which only the last one's text ends with a newline.
//
// # What we do
//
// A [Writer] takes a container's output in pieces and writes whole lines; a
// file that grows past max-size is renamed to .1, .2 and so on, of which
// max-file stay. [Read] reads all of them in order, and goes on reading while
// the container runs if it is asked to. Drivers: json-file and none.
//
// # What we leave out
//
// Compressed old files, labels and env attributes, and the drivers that send
// logs elsewhere (journald, syslog, fluentd). Bytes that are not UTF-8 become
// U+FFFD, as docker has it.
//
// Chapter: containers (logs). Man pages: inotify(7), write(2), rename(2).
package logging

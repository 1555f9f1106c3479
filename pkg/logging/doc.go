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
// Docker's local driver writes the same in binary entries that can be read from
// both ends. journald and syslog take messages over a socket: the journal as
// datagrams of fields, syslog as lines with a number in front.
//
// # What we do
//
// A [Writer] takes a container's output in pieces, cuts it into lines, and
// hands them to a driver. A file that grows past max-size is renamed to .1, .2
// and so on, of which max-file stay, compressed if that is wanted. [Read] reads
// all of them in order, and goes on reading while the container runs if it is
// asked to. The protocols of journald and syslog are a few lines each, and
// written here: a library would be larger than the shim.
//
// What has been sent away cannot be read back. So journald and syslog keep a
// copy, too, in local's format and bounded as its files are: a [Config] with a
// Path says where. Docker calls this dual logging.
//
// A driver makes the container wait when it is slow: memory has an end. A
// receiver that takes nothing for two seconds is given up for a second, its
// lines are counted as lost, and the container goes on. With a buffer (docker's
// mode=non-blocking) nothing ever waits.
//
// # What we leave out
//
// Drivers that send logs over HTTP (fluentd, gelf, splunk, clouds), and syslog
// over TLS. Bytes that are not UTF-8 become U+FFFD in json-file, as docker has
// it.
//
// Chapter: containers (logs). Man pages: inotify(7), write(2), rename(2).
package logging

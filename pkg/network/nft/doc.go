// Package nft builds the messages by which nftables is told what to do.
//
// # The problem
//
// The nft command compiles rules into a small program for a virtual machine in
// the kernel and sends it over a netlink socket. Starting that command for
// every container would cost more than all the rest of the network, and its
// text would hide the calls that this project is about.
//
// # What the kernel offers
//
// Tables hold chains, maps and sets; chains hold rules; a base chain hangs on
// one of five hooks in a packet's way. A rule is a list of instructions: load a
// part of the packet into a register, compare it, look it up in a map, judge.
// Changes are sent as a transaction: a BATCH_BEGIN message, the requests, a
// BATCH_END. Either all of them come into force, for every packet at once, or
// none. A transaction costs two to three milliseconds whatever its size, since
// the kernel waits until no processor uses the old rules any more; so changes
// that belong together go into one [Batch].
//
// # What we do
//
// Only the few expressions that container networks need, each with the text
// that nft(8) has for it, so that a batch prints itself as a script.
//
// # What we leave out
//
// Everything else; and sending, which is kernel.NetlinkRequest's.
//
// Chapter: Docker Networking. Man pages: nft(8), netlink(7).
package nft

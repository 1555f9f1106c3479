// Package transfer has images fetched by another program, and shows how that
// gets on.
//
// # The problem
//
// Who speaks to registries needs HTTP, TLS and its certificates, logins: more
// than half of a program. Every minictr would start up with that, find its
// tables in memory and copy them into the process that becomes a container,
// and hardly one in a hundred fetches an image. It cost a tenth of `minictr
// exec`.
//
// # What we do
//
// The program minictr-registry speaks to registries (package registry), and
// minictr to it, through its standard output, by lines of JSON: an event for
// each step of a layer, and at last the image's ID, or an error. Both have the
// same image store, whose locks are between processes anyway. The error that
// arrives is one of package image's if the one that was sent was, so callers
// decide as if they had called the function.
//
// # How it fails
//
// A program that is not there, is killed, or speaks another version's lines is
// an error that says so. What it has stored of an image by then is no image,
// and goes with the next one's clean-up, as after any pull that is interrupted.
//
// # What is left out
//
// Input: credentials come from docker's files and helpers, which the program
// reads itself.
//
// See chapter "Images" of the book (image registries).
package transfer

// Package explain shows how a container is made: what a plan would do, what a
// run really did, and what a half-made container looks like from outside.
//
// # The problem
//
// A container appears in a few milliseconds, and afterwards there is nothing
// left to look at but a process. Which calls made it, in which order, which of
// them mattered? strace(1) answers with thousands of lines, most of them the
// language runtime's own. A study session wants the hundred that make the
// container, each with the idea that it belongs to, and wants to stop between
// two of them.
//
// # What the kernel and the plan offer
//
// The plan is data, so it can be printed before it runs ([Plan]). While it runs
// the runner tells what happened as [step.Event] values, whose results and
// times come from the flight recorder; [Text] prints them for people, [JSON]
// for programs. And everything a process has been given, the kernel shows in
// /proc/<pid>: its namespaces, mounts, cgroups, identity and descriptors
// ([State]); two such pictures subtract ([Diff]).
//
// # What we do
//
// Printing is truthful first and pretty second. A call is printed as strace
// prints it. Text made for a terminal is wrapped, and arguments that would fill
// the screen are shortened, always visibly, with "…"; Style.All and the JSON
// forms show everything. Control characters that a host name or an environment
// might smuggle in are escaped.
//
// [Prompter] is the conversation of `minictr step`: before every step it shows
// the step to come, and takes commands: go on, look, open a shell in the
// half-made container, quit and undo.
//
// Package stracecmp compares what explain said with what strace saw.
//
// # What we leave out
//
// The child's calls are reported when the plan has ended, or at its next pause:
// it has no time to talk. Their times are right all the same.
//
// Chapter: every one; the events cite theirs. Man pages: strace(1), proc(5),
// namespaces(7), cgroups(7), nsenter(1).
package explain

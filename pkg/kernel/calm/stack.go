package calm

// Deep makes the stack of the goroutine that calls it as large as a command
// needs. A goroutine begins with a small one, and each time that is full the
// runtime moves it into one twice as large: for every function that is being
// called it reads tables that nobody has touched so far. Done first, when little
// has been called, that is done once.
func Deep()

package logging

import (
	"errors"
	"fmt"
	"time"
)

// cached is a driver whose lines cannot be read back, and a copy of them in
// files that can be: docker's dual logging. The copy is in local's format.
type cached struct {
	driver, copy sink
}

// withCopy adds the copy at c.Path to a driver.
func withCopy(driver sink, c Config) (sink, error) {
	f, err := openFiles(Config{Driver: "local", Path: c.Path, MaxSize: c.MaxSize, MaxFile: c.MaxFile, Compress: c.Compress})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("keep a copy of what goes to %s: %w", c.Driver, err), driver.close())
	}
	var kept sink = f
	if c.Buffer > 0 {
		kept = newBuffered(f, c.Buffer) // of its own: the copy misses nothing while only the receiver is slow
	}
	return &cached{driver, kept}, nil
}

// add and flush see to the copy first: a receiver may take its time.
func (c *cached) add(line []byte, stream string, when time.Time) {
	c.copy.add(line, stream, when)
	c.driver.add(line, stream, when)
}

func (c *cached) flush() {
	c.copy.flush()
	c.driver.flush()
}

func (c *cached) close() error {
	err := c.copy.close()
	if err != nil {
		err = fmt.Errorf("the copy for minictr logs: %w", err)
	}
	return errors.Join(c.driver.close(), err)
}

package engine

import (
	"encoding/json"
	"fmt"
	"time"

	"minictr/pkg/engine/bundle"
	"minictr/pkg/engine/config"
	"minictr/pkg/image/ocispec"
	"minictr/pkg/members"
	"minictr/pkg/record"
)

// Record is container.json: everything about a container that does not change
// while it runs and stops.
type Record struct {
	ID      string        `json:"id"`
	Created time.Time     `json:"created"`
	Config  config.Config `json:"config"`

	Image  Image    `json:"image"`
	Args   []string `json:"args"`   // what runs
	Layers []string `json:"layers"` // lowerdirs of its root, the topmost first

	// Mounts are the user's and the image's, with volumes by name.
	Mounts []config.Mount `json:"mounts,omitempty"`

	// IDs are its users, if it has a user namespace of its own.
	IDs    *bundle.IDRange `json:"ids,omitempty"`
	Health *config.Health  `json:"health,omitempty"` // the user's and the image's; nil: none
}

// Image is what a container was made from. The configuration is a copy: the
// image's name may mean another one tomorrow.
type Image struct {
	ID     string              `json:"id"`
	Name   string              `json:"name"` // as the user would type it
	Config ocispec.ImageConfig `json:"config"`
}

// Container is a container as it is known: what it was made from, and how it
// is doing.
type Container struct {
	Record
	Name  string
	State record.State

	Warnings []string // what Create found that this machine cannot do, and left out

	made []string // volumes that Create made for it
	lost bool     // its shim was found killed
}

// ShortID is the form people see: 12 hex digits.
func (c *Container) ShortID() string { return short(c.ID) }

func short(id string) string { return id[:min(12, len(id))] }

// Running tells whether there is a process.
func (c *Container) Running() bool { return c.State.Live() }

// unknown tells whether the state is damaged, so that only the shim, if there is
// one, knows whether there is a process.
func (c *Container) unknown() bool { return c.State.Status == record.Dead }

// DamagedError says that a container's record cannot be read.
type DamagedError struct {
	ID  string
	err error
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("the record of container %s is damaged (minictr rm -f removes it): %v", short(e.ID), e.err)
}

func (e *DamagedError) Unwrap() error { return e.err }

// decode returns a container with little more than its ID and state, and a
// *DamagedError, if its record is damaged.
func decode(r *record.Record) (*Container, error) {
	c := &Container{Name: r.Name, State: r.State}
	if err := json.Unmarshal(r.Config, &c.Record); err != nil {
		damage := &DamagedError{r.ID, err}
		c.Record = Record{ID: r.ID}
		c.State.Error = damage.Error()
		return c, damage
	}
	c.ID = r.ID
	return c, nil
}

// Get finds a container by name, ID, or the beginning of an ID. With a
// *DamagedError comes what is still known of the container: enough to remove
// it.
func (e *Engine) Get(ref string) (*Container, error) {
	r, err := record.Find(e.Dirs, ref)
	if err != nil {
		return nil, err
	}
	return decode(r)
}

// GetForExec is Get for [Engine.Exec]: of the container's record it reads only
// what Exec needs.
func (e *Engine) GetForExec(ref string) (*Container, error) {
	r, err := record.Find(e.Dirs, ref)
	if err != nil {
		return nil, err
	}
	c := &Container{Name: r.Name, State: r.State}
	c.ID = r.ID
	err = members.Read(r.Config, members.Table{
		"config": func(r members.Reader) error {
			return r.Object(members.Table{"labels": &c.Config.Labels, "groupAdd": &c.Config.GroupAdd})
		},
		"image": func(r members.Reader) error {
			return r.Object(members.Table{"name": &c.Image.Name, "config": func(r members.Reader) error {
				return r.Object(members.Table{"Labels": &c.Image.Config.Labels})
			}})
		},
		"ids": &c.IDs,
	})
	if err != nil {
		return decode(r) // which says what is wrong
	}
	return c, nil
}

// List returns all containers, the newest first. One whose record is damaged
// is in the list too, with little more than its ID and state.
func (e *Engine) List() ([]*Container, error) {
	records, err := record.List(e.Dirs)
	if err != nil {
		return nil, err
	}
	list := make([]*Container, len(records))
	record.InParallel(len(records), func(i int) {
		list[i], _ = decode(&records[i]) // what is damaged stands in its State.Error
	})
	sortNewestFirst(list)
	return list, nil
}

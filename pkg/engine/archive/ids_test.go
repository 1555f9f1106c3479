package archive

import "testing"

func TestOwnersAreAsTheContainerSeesThem(t *testing.T) {
	m := IDs{UID: 100000, GID: 200000, Size: 1000}
	for _, c := range []struct {
		host [2]uint32
		want Owner
	}{{[2]uint32{100000, 200000}, Owner{0, 0}}, {[2]uint32{100033, 200999}, Owner{33, 999}}, {[2]uint32{0, 201000}, Owner{nobody, nobody}}} {
		if uid, gid := m.inside(c.host[0], c.host[1]); (Owner{uid, gid}) != c.want {
			t.Errorf("%v is %d:%d inside, want %v", c.host, uid, gid, c.want)
		}
	}
	if o, err := m.outside(Owner{33, 999}); err != nil || o != (Owner{100033, 200999}) {
		t.Errorf("outside: %v, %v", o, err)
	}
	if o, err := m.outside(Owner{0, 1000}); err == nil {
		t.Errorf("a group of somebody else's: %v", o)
	}
	same := IDs{}
	if uid, gid := same.inside(5, 6); uid != 5 || gid != 6 || same.Become() != nil {
		t.Errorf("without a user namespace: %d:%d", uid, gid)
	}
}

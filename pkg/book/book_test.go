package book

import "testing"

func TestEveryTopicHasAPlaceInBothNumberings(t *testing.T) {
	for _, topic := range []Topic{
		Containers, Engine, OCI, Images, CopyOnWrite, Namespaces, Cgroups, Capabilities, Seccomp, MAC,
		Networking, PortMapping, Volumes, Secrets, Logging, Terminal,
	} {
		r := topic.Ref()
		if r.Title == "" || r.Chapter == "" || r.Number == 0 || r.Course == "" {
			t.Errorf("topic %q: %+v", string(topic), r)
		}
	}
	if len(Topics()) != len(references) {
		t.Error("Topics leaves some out")
	}
}

func TestATopicCitesItsChapter(t *testing.T) {
	if got := Networking.String(); got != "ch. 11 Docker Networking" {
		t.Errorf("got %q", got)
	}
}

package image

import (
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

func TestChangesMeanWhatTheyMeanInADockerfile(t *testing.T) {
	for _, tc := range []struct {
		changes []string
		want    string // JSON of the config
	}{
		{[]string{`CMD ["/bin/sh", "-l"]`}, `{"Cmd":["/bin/sh","-l"]}`},
		{[]string{`cmd echo hi`}, `{"Cmd":["/bin/sh","-c","echo hi"]}`},
		{[]string{`CMD ["x"]`, `ENTRYPOINT ["/init"]`}, `{"Entrypoint":["/init"]}`},
		{[]string{`ENV A=1 B="two words" C=it\'s`, `ENV A=3`}, `{"Env":["B=two words","C=it's","A=3"]}`},
		{[]string{`ENV PATH /bin:/usr/bin`}, `{"Env":["PATH=/bin:/usr/bin"]}`},
		{[]string{`EXPOSE 80 53/UDP`}, `{"ExposedPorts":{"53/udp":{},"80/tcp":{}}}`},
		{[]string{`LABEL a=b 'c d'=e`}, `{"Labels":{"a":"b","c d":"e"}}`},
		{[]string{`VOLUME ["/data"]`, `VOLUME /a /b`}, `{"Volumes":{"/a":{},"/b":{},"/data":{}}}`},
		{[]string{`WORKDIR /srv/`, `WORKDIR www`}, `{"WorkingDir":"/srv/www"}`},
		{[]string{`USER app:app`, `STOPSIGNAL SIGINT`}, `{"User":"app:app","StopSignal":"SIGINT"}`},
	} {
		var c ocispec.ImageConfig
		for _, change := range tc.changes {
			if err := Change(&c, change); err != nil {
				t.Error(err)
			}
		}
		if got := mustJSON(t, c); got != tc.want {
			t.Errorf("%q: got %s, want %s", tc.changes, got, tc.want)
		}
	}
	for _, bad := range []string{"", "CMD", "RUN make", "ENV A", `ENV A="b`, "ENV =b", "EXPOSE http", "EXPOSE 80/icmp", "EXPOSE 70000", `LABEL a=b c`} {
		if err := Change(new(ocispec.ImageConfig), bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func FuzzChange(f *testing.F) {
	for _, s := range []string{`CMD ["a"]`, `ENV A="b c" D=e\`, `LABEL 'a`, "EXPOSE 1/udp", "WORKDIR ..", "VOLUME []"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var c ocispec.ImageConfig
		if err := Change(&c, s); err == nil && mustJSON(t, c) == "{}" && len(s) < 8 {
			t.Errorf("%q was accepted and changed nothing", s)
		}
	})
}

package image

import "testing"

func TestChangesMeanWhatTheyMeanInADockerfile(t *testing.T) {
	for _, tc := range []struct {
		changes []string
		want    string // JSON of the config
	}{
		{[]string{`CMD ["/bin/sh", "-l"]`}, `{"Cmd":["/bin/sh","-l"]}`},
		{[]string{`cmd echo hi`}, `{"Cmd":["/bin/sh","-c","echo hi"]}`},
		{[]string{`CMD ["x"]`, `ENTRYPOINT ["/init"]`}, `{"Entrypoint":["/init"],"Cmd":["x"]}`},
		{[]string{`ENV A=1 B="two words" C=it\'s`, `ENV A=3`}, `{"Env":["A=3","B=two words","C=it's"]}`},
		{[]string{`ENTRYPOINT ["/init"]`, `CMD ["x"]`}, `{"Entrypoint":["/init"],"Cmd":["x"]}`},
		{[]string{`ENV A=1 P=/bin`, `ENV P=$P:/x Q='$A' R="${A}2" S=\$A T=${NO:-d} U=${A:+e} V=$`}, `{"Env":["A=1","P=/bin:/x","Q=$A","R=12","S=$A","T=d","U=e","V=$"]}`},
		{[]string{`ENV D=/srv`, `WORKDIR $D/www`, `VOLUME $D`, `LABEL a=${D}`, `CMD echo $D`, `USER "$D"`}, `{"User":"/srv","Env":["D=/srv"],"Cmd":["/bin/sh","-c","echo $D"],"Volumes":{"/srv":{}},"WorkingDir":"/srv/www","Labels":{"a":"/srv"}}`},
		{[]string{`EXPOSE 8000-8002/udp`}, `{"ExposedPorts":{"8000/udp":{},"8001/udp":{},"8002/udp":{}}}`},
		{[]string{`HEALTHCHECK --interval=5s --retries=2 CMD wget localhost`}, `{"Healthcheck":{"Test":["CMD-SHELL","wget localhost"],"Interval":5000000000,"Retries":2}}`},
		{[]string{`HEALTHCHECK CMD ["true"]`}, `{"Healthcheck":{"Test":["CMD","true"]}}`},
		{[]string{`HEALTHCHECK CMD true`, `healthcheck none`}, `{"Healthcheck":{"Test":["NONE"]}}`},
		{[]string{`ONBUILD RUN make`, `ONBUILD COPY . /`}, `{"OnBuild":["RUN make","COPY . /"]}`},
		{[]string{`ENV PATH /bin:/usr/bin`}, `{"Env":["PATH=/bin:/usr/bin"]}`},
		{[]string{`EXPOSE 80 53/UDP`}, `{"ExposedPorts":{"53/udp":{},"80/tcp":{}}}`},
		{[]string{`LABEL a=b 'c d'=e`}, `{"Labels":{"a":"b","c d":"e"}}`},
		{[]string{`VOLUME ["/data"]`, `VOLUME /a /b`}, `{"Volumes":{"/a":{},"/b":{},"/data":{}}}`},
		{[]string{`WORKDIR /srv/`, `WORKDIR www`}, `{"WorkingDir":"/srv/www"}`},
		{[]string{`USER app:app`, `STOPSIGNAL SIGINT`}, `{"User":"app:app","StopSignal":"SIGINT"}`},
	} {
		var c Settings
		for _, change := range tc.changes {
			if err := c.Change(change); err != nil {
				t.Error(err)
			}
		}
		if got := mustJSON(t, c); got != tc.want {
			t.Errorf("%q: got %s, want %s", tc.changes, got, tc.want)
		}
	}
	for _, bad := range []string{
		"", "CMD", "RUN make", "ENV A", `ENV A="b`, "ENV =b", "EXPOSE http", "EXPOSE 80/icmp", "EXPOSE 70000", "EXPOSE 9-8", "HEALTHCHECK CMD", "HEALTHCHECK true", "HEALTHCHECK --interval=x CMD true", "HEALTHCHECK --retries=0 CMD true",
		"HEALTHCHECK --nope=1 CMD true", "ONBUILD FROM x", "ONBUILD onbuild RUN x", `LABEL a=b c`,
	} {
		if err := new(Settings).Change(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func FuzzChange(f *testing.F) {
	for _, s := range []string{`CMD ["a"]`, `ENV A="b c" D=e\`, `LABEL 'a`, "EXPOSE 1/udp", "WORKDIR ..", "VOLUME []"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var c Settings
		if err := c.Change(s); err == nil && mustJSON(t, c) == "{}" && len(s) < 8 {
			t.Errorf("%q was accepted and changed nothing", s)
		}
	})
}

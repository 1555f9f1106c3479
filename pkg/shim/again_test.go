package shim

import (
	"testing"
	"time"

	"minictr/pkg/record"
)

func TestPoliciesStartAgainWhatDockersDo(t *testing.T) {
	for _, tc := range []struct {
		policy         Policy
		code, restarts int
		byUser, want   bool
	}{
		{Policy{}, 1, 0, false, false},
		{Policy{Name: Never}, 1, 0, false, false},
		{Policy{Name: Always}, 0, 99, false, true},
		{Policy{Name: Always}, 137, 99, true, true}, // the request itself says that it was the last run
		{Policy{Name: UnlessStopped}, 0, 99, false, true},
		{Policy{Name: UnlessStopped}, 0, 0, true, false},
		{Policy{Name: OnFailure}, 0, 0, false, false},
		{Policy{Name: OnFailure}, 1, 99, false, true},
		{Policy{Name: OnFailure, Retries: 2}, 1, 1, false, true},
		{Policy{Name: OnFailure, Retries: 2}, 1, 2, false, false},
	} {
		if got := tc.policy.Again(tc.code, tc.restarts, tc.byUser); got != tc.want {
			t.Errorf("%+v: %v", tc, got)
		}
	}
	for name, want := range map[string][2]bool{
		"": {}, Never: {}, OnFailure: {}, Always: {true, true}, UnlessStopped: {true, false},
	} {
		if got := [2]bool{Policy{Name: name}.AtBoot(false), Policy{Name: name}.AtBoot(true)}; got != want {
			t.Errorf("%s at boot: %v", name, got)
		}
	}
}

func TestPausesDoubleUntilAMinuteAndBeginAnewAfterALongRun(t *testing.T) {
	var b backoff
	for _, want := range []time.Duration{100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200, 60000, 60000} {
		if got := b.after(time.Second); got != want*time.Millisecond {
			t.Errorf("%v, want %v ms", got, want)
		}
	}
	if got := b.after(longRun); got != firstPause {
		t.Errorf("after a long run %v", got)
	}
	if got := b.after(0); got != 2*firstPause {
		t.Errorf("and then %v", got)
	}
}

func TestHealthChangesAsDockersDoes(t *testing.T) {
	begun := time.Now()
	check := HealthCheck{Interval: time.Hour, StartInterval: time.Second, StartPeriod: time.Minute, Retries: 2}
	h := record.Health{Status: healthStarting}
	if check.pause(h.Status, 0) != time.Second || check.pause(h.Status, time.Hour) != time.Hour || check.pause(healthGood, 0) != time.Hour {
		t.Error("the pause between two checks")
	}
	for i, tc := range []struct {
		at     time.Duration
		code   int
		status string
		streak int
	}{
		{time.Second, 1, healthStarting, 0},
		{59 * time.Second, -1, healthStarting, 0},
		{61 * time.Second, 1, healthStarting, 1},
		{62 * time.Second, 0, healthGood, 0},
		{63 * time.Second, 1, healthGood, 1},
		{64 * time.Second, 2, healthBad, 2},
		{65 * time.Second, 2, healthBad, 3},
		{66 * time.Second, 0, healthGood, 0},
	} {
		h = check.after(h, record.Probe{Start: begun.Add(tc.at), ExitCode: tc.code}, begun)
		if h.Status != tc.status || h.FailingStreak != tc.streak || len(h.Log) != min(i+1, keptProbes) {
			t.Errorf("check %d: %+v, want %+v", i, h, tc)
		}
		if last := h.Log[len(h.Log)-1]; last.ExitCode != tc.code {
			t.Errorf("check %d: the last result kept is %+v", i, last)
		}
	}
	early := check.after(record.Health{Status: healthGood}, record.Probe{Start: begun, ExitCode: 1}, begun)
	if early.FailingStreak != 1 {
		t.Error("once it has worked, failures count")
	}
}

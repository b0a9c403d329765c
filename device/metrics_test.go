// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package device

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goccy/go-yaml"

	"gatehouse/credential"
	"gatehouse/device/client"
	"gatehouse/device/condition"
	"gatehouse/gate"
	"gatehouse/gate/gatetest"
)

// freeAddr is an address on loopback that nobody has now.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// scrape reads the metrics of a kiosk, by line without their values.
func scrape(t *testing.T, addr string) (text string, values map[string]string) {
	t.Helper()
	resp, err := http.Get("http://" + addr + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status, err)
	}
	values = map[string]string{}
	for line := range strings.Lines(string(body)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok {
			t.Errorf("no metric: %q", line)
		}
		values[name] = value
	}
	return string(body), values
}

// writeCertificate makes a certificate that ends at a time, and its key, in one file.
func writeCertificate(t *testing.T, path string, end time.Time) {
	t.Helper()
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: end}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})...)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

var documented = regexp.MustCompile("(?m)^\\| `(gatehouse_[a-z_]+)`")

// docs/metrics.md has every metric, and no other; docs/alerts.yaml asks for nothing else, and names codes of the runbook.
func TestMetricsAreWhatIsDocumented(t *testing.T) {
	b := newWayOutBench(t)
	b.cfg.Metrics = freeAddr(t)
	path := filepath.Join(t.TempDir(), "kiosk.pem")
	end := time.Unix(1_900_000_000, 0)
	writeCertificate(t, path, end)
	b.cfg.Sync = SyncConfig{Brokers: []string{"127.0.0.1:1"}, CA: path, Certificate: path, Key: path}
	b.start()
	b.importBundle()
	code := b.pass(credential.Claims{})
	b.expect("ok", code)
	b.expect("already_used", code)
	b.wantLetOut()
	b.wantFire(true)
	b.waitLog("code=GH-651", 1) // its port takes nobody
	b.waitStatus("all recorded", func(s *client.Status) bool { return s.Ledger.Events >= 5 && hasCondition(s, "GH-206") })
	text, values := scrape(t, b.cfg.Metrics)
	for name, want := range map[string]string{
		`gatehouse_ready`: "1",
		`gatehouse_decisions_total{lane="in-1",outcome="admit",reason="ok"}`:          "1",
		`gatehouse_decisions_total{lane="in-1",outcome="deny",reason="already_used"}`: "1",
		`gatehouse_scan_to_relay_seconds_count{lane="in-1"}`:                          "1",
		`gatehouse_scan_to_relay_seconds_bucket{lane="in-1",le="+Inf"}`:               "1",
		`gatehouse_scan_to_relay_seconds_bucket{lane="in-1",le="5"}`:                  "1",
		`gatehouse_data_band{band="fresh"}`:                                           "1",
		`gatehouse_data_band{band="hard"}`:                                            "0",
		`gatehouse_exits_total{lane="in-1"}`:                                          "1",
		`gatehouse_sync_joins_total`:                                                  "0",
		`gatehouse_condition{code="GH-206",lane="in-1",severity="error"}`:             "1",
		`gatehouse_sync_joined`:                                                       "0",
		`gatehouse_ledger_received_event`:                                             "0",
		`gatehouse_certificate_expiry_timestamp_seconds`:                              "1.9e+09",
	} {
		if values[name] != want {
			t.Errorf("%s is %q, want %s", name, values[name], want)
		}
	}
	for _, private := range []string{code, b.waitStatus("status", func(*client.Status) bool { return true }).Ledger.ID} {
		if strings.Contains(text, private) {
			t.Error("the metrics hold what is nobody's matter")
		}
	}

	doc, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	if values["gatehouse_sync_failures_total"] == "" || values["gatehouse_sync_failures_total"] == "0" {
		t.Error("no failure to reach the broker was counted")
	}
	known := map[string]bool{}
	for name := range values {
		if name, _, _ = strings.Cut(name, "{"); strings.HasPrefix(name, "gatehouse_") {
			known[name] = true
		}
	}
	told := map[string]bool{}
	for _, m := range documented.FindAllSubmatch(doc, -1) {
		told[string(m[1])] = true
		if !known[string(m[1])] {
			t.Errorf("docs/metrics.md has %s, and the kiosk has not", m[1])
		}
	}
	for name := range known {
		if !told[name] {
			t.Errorf("docs/metrics.md does not tell of %s", name)
		}
	}
	checkAlerts(t, told)
}

func checkAlerts(t *testing.T, known map[string]bool) {
	t.Helper()
	text, err := os.ReadFile("../docs/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Name  string `yaml:"name"`
			Rules []struct {
				Alert       string            `yaml:"alert"`
				Expr        string            `yaml:"expr"`
				For         string            `yaml:"for"`
				Annotations map[string]string `yaml:"annotations"`
			} `yaml:"rules"`
		} `yaml:"groups"`
	}
	if err := yaml.UnmarshalWithOptions(text, &file, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	rules := 0
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			rules++
			if r.Expr == "" || r.Annotations["summary"] == "" {
				t.Errorf("%s has no expression or no summary", r.Alert)
			}
			for _, name := range regexp.MustCompile(`gatehouse_[a-z_]+`).FindAllString(r.Expr, -1) {
				if !known[name] {
					t.Errorf("%s asks for %s, which no kiosk has", r.Alert, name)
				}
			}
			for _, code := range regexp.MustCompile(`GH-\d+`).FindAllString(r.Expr+r.Annotations["summary"], -1) {
				if _, ok := condition.Of(condition.Code(code)); !ok {
					t.Errorf("%s names %s, which is no fault code", r.Alert, code)
				}
			}
		}
	}
	if rules < 10 {
		t.Errorf("%d rules were read", rules)
	}
}

// A port that somebody else has is told, and nothing else comes of it.
func TestTakenMetricsPortHarmsNothing(t *testing.T) {
	b := newBench(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	b.cfg.Metrics = l.Addr().String()
	b.start()
	b.importBundle()
	b.waitLog("code=GH-605", 1)
	b.expect("ok", b.pass(credential.Claims{}))
}

// A port that stays taken is told once, not at each try, and is over when it is served.
func TestTakenMetricsPortIsToldOnce(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	h, _, log := newTestHealth()
	k := &kiosk{cfg: Config{Metrics: taken.Addr().String()}, health: h, meter: newMeter()}
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithTimeout(t.Context(), 20*relisten)
		defer stop()
		k.serveMetrics(ctx)
	})
	if n := strings.Count(log.String(), "\n"); n != 1 {
		t.Errorf("%d lines for one port that stays taken:\n%s", n, log)
	}
	if h.of("").text("", condition.Metrics) == "" {
		t.Error("nothing is told of a taken port")
	}

	taken.Close()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); k.serveMetrics(ctx) }()
	defer func() { stop(); <-done }()
	for deadline := time.Now().Add(20 * time.Second); h.of("").text("", condition.Metrics) != ""; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("GH-605 stays though the address is served")
		}
	}
}

func TestMetricsStayOnLoopback(t *testing.T) {
	for addr, want := range map[string]string{
		"": "", "127.0.0.1:9477": "", "[::1]:9477": "", "0.0.0.0:9477": "not on loopback", ":9477": "no address", "10.0.0.7:9477": "not on loopback",
		"127.0.0.1": "no address", "127.0.0.1:0": "no address",
	} {
		err := checkMetrics(addr)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", addr, err)
		}
	}
}

// Each bucket has all that took as long or less, and the last has everything.
func TestBucketsAreCumulative(t *testing.T) {
	m := newMeter()
	for _, took := range []time.Duration{500 * time.Microsecond, 3 * time.Millisecond, 4 * time.Millisecond, 10 * time.Second} {
		m.toRelay("in-1", took)
	}
	var b strings.Builder
	m.set.WritePrometheus(&b)
	got := strings.Split(strings.TrimSpace(b.String()), "\n")
	for _, want := range []string{
		`gatehouse_scan_to_relay_seconds_bucket{lane="in-1",le="0.001"} 1`, `gatehouse_scan_to_relay_seconds_bucket{lane="in-1",le="0.002"} 1`,
		`gatehouse_scan_to_relay_seconds_bucket{lane="in-1",le="0.005"} 3`, `gatehouse_scan_to_relay_seconds_bucket{lane="in-1",le="5"} 3`,
		`gatehouse_scan_to_relay_seconds_bucket{lane="in-1",le="+Inf"} 4`, `gatehouse_scan_to_relay_seconds_count{lane="in-1"} 4`,
	} {
		if !slices.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, b.String())
		}
	}
}

// An admission whose relay did not rise has no time to the relay.
func TestOnlyARisenRelayIsTimed(t *testing.T) {
	b := newBench(t)
	b.cfg.Metrics = freeAddr(t)
	b.start()
	b.importBundle()
	b.board.Fail("in-1", gate.Relay, gatetest.FailNothingMoved, 1)
	b.show(b.pass(credential.Claims{}))
	b.waitStatus("the lane to be well again", func(s *client.Status) bool { return s.Lanes[0].Gate == inService })
	const count = `gatehouse_scan_to_relay_seconds_count{lane="in-1"}`
	if _, values := scrape(t, b.cfg.Metrics); values[count] != "" {
		t.Errorf("%s openings were timed, and the relay never rose", values[count])
	}
	b.expect("ok", b.pass(credential.Claims{}))
	if _, values := scrape(t, b.cfg.Metrics); values[count] != "1" {
		t.Errorf("%q openings were timed", values[count])
	}
}

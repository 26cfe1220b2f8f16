// Go's net/http; with --json the bodies become structs by encoding/json.
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"sort"
	"strings"
	"sync"
	"syscall"
	"time"
)

type objectMeta struct {
	Self         string `json:"self"`
	ResourceName string `json:"resource_name"`
	CreatedAt    string `json:"created_at"`
	UpdatedAt    string `json:"updated_at"`
}

type ipGroup struct {
	APIVersion string     `json:"api_version"`
	Kind       string     `json:"kind"`
	ID         string     `json:"id"`
	Metadata   objectMeta `json:"metadata"`
	GroupName  string     `json:"group_name"`
	CIDRBlocks []string   `json:"cidr_blocks"`
}

type page struct {
	Data []ipGroup `json:"data"`
}

var (
	url         = flag.String("url", "", "what to get")
	ca          = flag.String("ca", "", "PEM file with the authority")
	connections = flag.Int("connections", 1, "kept alive")
	requests    = flag.Int("requests", 0, "that are measured")
	bodyBytes   = flag.Int64("body-bytes", 0, "that each body must have, if any")
	decodes     = flag.Bool("json", false, "decode bodies")
)

func newClient() (*http.Client, error) {
	pem, err := os.ReadFile(*ca)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, errors.New(*ca + ": no certificate")
	}
	return &http.Client{Transport: &http.Transport{ // HTTP/1.1, for it has its own TLS settings
		TLSClientConfig:     &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13},
		MaxConnsPerHost:     *connections,
		MaxIdleConnsPerHost: *connections,
		DisableCompression:  true,
	}}, nil
}

func decode(text []byte) error {
	if strings.Contains(*url, "?") {
		var got page
		if err := json.Unmarshal(text, &got); err != nil {
			return err
		}
		if len(got.Data) != 100 {
			return fmt.Errorf("%d items", len(got.Data))
		}
		return nil
	}
	var got ipGroup
	if err := json.Unmarshal(text, &got); err != nil {
		return err
	}
	if got.ID == "" {
		return errors.New("a group without an id")
	}
	return nil
}

// read takes a whole body; the buffer is used again and again, which is cheaper than a json.Decoder.
func read(body io.Reader, buffer *bytes.Buffer) (int64, error) {
	if !*decodes {
		return io.Copy(io.Discard, body)
	}
	buffer.Reset()
	size, err := buffer.ReadFrom(body)
	if err != nil {
		return size, err
	}
	return size, decode(buffer.Bytes())
}

func get(client *http.Client, buffer *bytes.Buffer) error {
	request, err := http.NewRequest(http.MethodGet, *url, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Basic S0VZOlNFQ1JFVA==")
	request.Header.Set("User-Agent", "go_client/1.0")
	request.Header.Set("Accept", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	size, err := read(response.Body, buffer)
	if err == nil && *bodyBytes != 0 && size != *bodyBytes {
		return fmt.Errorf("a body of %d bytes", size)
	}
	return err
}

// batch has its workers share the requests; their latencies go into samples.
func batch(client *http.Client, total int, samples []time.Duration) error {
	failed := make(chan error, *connections)
	var workers sync.WaitGroup
	for i := 0; i < *connections; i++ {
		share := total / *connections
		if i < total%*connections {
			share++
		}
		mine := samples[:share]
		samples = samples[share:]
		workers.Add(1)
		go func() {
			defer workers.Done()
			var buffer bytes.Buffer
			for n := range mine {
				begun := time.Now()
				if err := get(client, &buffer); err != nil {
					failed <- err
					return
				}
				mine[n] = time.Since(begun)
			}
		}()
	}
	workers.Wait()
	close(failed)
	return <-failed
}

func cpuMicroseconds() int64 {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err)
	}
	return (used.Utime.Nano() + used.Stime.Nano()) / 1000
}

func run() error {
	flag.Parse()
	if *url == "" || *ca == "" || *connections < 1 || *requests < 1 {
		return errors.New("wanted: --url, --ca, --connections, --requests")
	}
	client, err := newClient()
	if err != nil {
		return err
	}
	warmUp := *requests / 10
	if warmUp < 8**connections {
		warmUp = 8 * *connections
	}
	if err := batch(client, warmUp, make([]time.Duration, warmUp)); err != nil {
		return err
	}
	samples := make([]time.Duration, *requests)
	cpu, began := cpuMicroseconds(), time.Now()
	if err := batch(client, *requests, samples); err != nil {
		return err
	}
	seconds := time.Since(began).Seconds()
	cpu = cpuMicroseconds() - cpu
	sort.Slice(samples, func(i, j int) bool { return samples[i] < samples[j] })
	percentile := func(percent int) float64 {
		return float64(samples[(*requests-1)*percent/100].Nanoseconds()) / 1000
	}
	fmt.Printf("requests=%d seconds=%.6f cpu_us=%d p50_us=%.1f p99_us=%.1f\n",
		*requests, seconds, cpu, percentile(50), percentile(99))
	return nil
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "go_client:", err)
		os.Exit(1)
	}
}

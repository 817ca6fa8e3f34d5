# what: net/http server and client in one static program: 200 requests by 20 goroutines, 8 MiB posted and echoed, a time-out
# version: go version
# needs: golang-go
cat >main.go <<'GO'
package main

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

func main() {
	listener, err := net.Listen("tcp", ":0")
	if err != nil {
		panic(err)
	}
	http.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Write(body)
	})
	http.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	go http.Serve(listener, nil)
	url := fmt.Sprintf("http://127.0.0.1:%d", listener.Addr().(*net.TCPAddr).Port)
	echo := func(size int) {
		data := make([]byte, size)
		rand.Read(data)
		answer, err := http.Post(url+"/echo", "application/octet-stream", bytes.NewReader(data))
		if err != nil {
			panic(err)
		}
		defer answer.Body.Close()
		if got, err := io.ReadAll(answer.Body); err != nil || !bytes.Equal(got, data) {
			panic(fmt.Sprint("the echo differs ", err))
		}
	}
	var all sync.WaitGroup
	for i := 0; i < 20; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for j := 0; j < 10; j++ {
				echo(10000)
			}
		}()
	}
	all.Wait()
	echo(8 << 20)
	patient := http.Client{Timeout: 200 * time.Millisecond}
	if _, err := patient.Get(url + "/slow"); err == nil {
		panic("no time-out")
	}
}
GO
export HOME=$PWD GOCACHE=${GO_CACHE:-$PWD/cache} GOFLAGS=-mod=mod CGO_ENABLED=0 GO111MODULE=off
go build -o program main.go
./program

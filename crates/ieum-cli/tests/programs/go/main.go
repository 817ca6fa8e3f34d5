// Echoes with goroutines and the runtime's own epoll; built without cgo, so that nothing of it is linked dynamically.
//
//	echo serve ADDRESS        prints "ready", then echoes for ever
//	echo call ADDRESS COUNT   COUNT connections at once, each sends bytes of its own and reads them back
//	echo both ADDRESS COUNT   both in one process
//
// A caller prints how many of its connections got their own bytes back, and exits with 1 if one did not.
package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"
)

// No connection takes longer than this.
const patience = 60 * time.Second

func serve(listener net.Listener) {
	for {
		connection, err := listener.Accept()
		if err != nil {
			fmt.Fprintln(os.Stderr, "accept:", err)
			os.Exit(1)
		}
		go func() {
			defer connection.Close()
			if _, err := io.Copy(connection, connection); err != nil {
				fmt.Fprintln(os.Stderr, "echo:", err)
			}
		}()
	}
}

// own gives the bytes that only connection `number` sends; their length differs too.
func own(number int) []byte {
	return bytes.Repeat([]byte(fmt.Sprintf("connection %d;", number)), 1+number*37%2000)
}

func call(address string, number int) error {
	connection, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return err
	}
	defer connection.Close()
	if err := connection.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	sent := own(number)
	failed := make(chan error, 1)
	go func() {
		_, err := connection.Write(sent)
		if err == nil {
			err = connection.(*net.TCPConn).CloseWrite()
		}
		failed <- err
	}()
	received, err := io.ReadAll(connection)
	if err != nil {
		return err
	}
	if err := <-failed; err != nil {
		return err
	}
	if !bytes.Equal(received, sent) {
		return fmt.Errorf("sent %d bytes, received %d others", len(sent), len(received))
	}
	return nil
}

func callAll(address string, count int) {
	outcomes := make(chan error)
	for number := 0; number < count; number++ {
		go func(number int) { outcomes <- call(address, number) }(number)
	}
	good := 0
	for number := 0; number < count; number++ {
		if err := <-outcomes; err != nil {
			fmt.Fprintln(os.Stderr, "call:", err)
		} else {
			good++
		}
	}
	fmt.Printf("%d of %d connections got their own bytes\n", good, count)
	if good != count {
		os.Exit(1)
	}
}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "echo serve|call|both ADDRESS [COUNT]")
		os.Exit(2)
	}
	count := 0
	if len(os.Args) > 3 {
		count, _ = strconv.Atoi(os.Args[3])
	}
	if os.Args[1] == "call" {
		callAll(os.Args[2], count)
		return
	}
	listener, err := net.Listen("tcp", os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, "listen:", err)
		os.Exit(1)
	}
	if os.Args[1] == "serve" {
		fmt.Println("ready")
		serve(listener)
	}
	go serve(listener)
	callAll(listener.Addr().String(), count)
}

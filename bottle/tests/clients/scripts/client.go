// client URL...: asks each URL and prints protocol, status and body.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
)

func main() {
	for _, url := range os.Args[1:] {
		answer, err := http.Get(url)
		if err != nil {
			fmt.Println(err)
			continue
		}
		body, _ := io.ReadAll(answer.Body)
		fmt.Println(answer.Proto, answer.StatusCode, string(body))
	}
}

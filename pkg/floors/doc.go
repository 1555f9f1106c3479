// Package floors holds nothing but a test: that packages import only what the
// plan of the house lets them. The plan is the text in house_test.go.
package floors

/** Networks by name: what layers they are made of, and their weights in safetensors files. */
package slimvox.models;

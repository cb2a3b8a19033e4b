/** What {@code slimvox bench} measures: a command a class, found as a service. */
package slimvox.bench;

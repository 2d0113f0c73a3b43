// Package scenarios_test has a test for each row of the table of faults that onebid is to survive, named by its row, with
// real manager processes, a real API server and the simulator as the oracle. Each ends with harness.Tenant.Settled: the
// ledger, and not our own status, is held against the promises.
package scenarios_test

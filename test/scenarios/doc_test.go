// Package scenarios_test has a test for each row of the table of faults that onebid is to survive, named by its row, with
// real manager processes, a real API server and the simulator as the oracle. Each ends with harness.Tenant.Settled or with
// counts of its own: the ledger, and not our own status, is held against the promises. Rows in which the classes of
// marketplaces differ are run in each class.
//
//	 1  killed before the intent                    TestRow01…  killed_test.go
//	 2  killed after the intent, before sending     TestRow02…  killed_test.go
//	 3  killed after the commit                     TestRow03…  killed_test.go
//	 4  API server down when it is to be recorded   TestRow04…  cut_test.go
//	 5  timeout and a late commit                   TestRow05…  unknown_test.go
//	 6  errors after the commit                     TestRow06…  unknown_test.go
//	 7  a reused connection drops                   TestRow07…  unknown_test.go
//	 8  API server or marketplace lost              TestRow08…  cut_test.go
//	 9  clocks an hour apart, or stepped            TestRow09…  clocks_test.go
//	10  two processes of one pod name               TestRow10…  killed_test.go
//	11  one posting under many names                TestRow11…  names_test.go
//	12  200 scanners                                TestRow12…  names_test.go
//	13  a spec is edited                            TestRow13…  names_test.go
//	14  deleted while the outcome is unknown        TestRow14…  unknown_test.go
//	15  deleted and created again, old events       TestRow15…  again_test.go
//	16  created again inside the cooldown           TestRow16…  again_test.go
//	17  a namespace is deleted                      TestRow17…  removal_test.go
//	18  CRDs removed before the Bids                TestRow18…  removal_test.go
//	19  a withdrawal is refused                     TestRow19…  withdraw_test.go
//	20  401 and 403 for long                        TestRow20…  withdraw_test.go
//	21  many pending, 429, a restart                TestRow21…  load_test.go
//	22  poison                                      TestRow22…  load_test.go
//	23  events twice, late, never                   TestRow23…  cut_test.go
//	24  SIGTERM in a call; old and new version      TestRow24…  killed_test.go
//	25  a person withdraws; the posting closes      TestRow25…  withdraw_test.go
//	26  hostile objects                             TestRow26…  hostile_test.go
//	27  each step removed on purpose                TestRow27…  mutation_test.go, and make mutate
package scenarios_test

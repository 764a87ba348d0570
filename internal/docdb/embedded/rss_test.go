package embedded
import ("testing";"os";"strings";"fmt";"sync";"go.mongodb.org/mongo-driver/v2/bson";"github.com/orgd/orgd/internal/docdb")
func rss(what string) { b,_:=os.ReadFile("/proc/self/status"); for _,l:=range strings.Split(string(b),"\n") { if strings.HasPrefix(l,"VmRSS")||strings.HasPrefix(l,"VmHWM") { fmt.Println(what,l) } } }
func TestRSS(t *testing.T) {
	rss("start")
	dir := t.TempDir()
	e := open(t, Config{Dir: dir})
	rss("open")
	c := newCollection(t, e)
	var wg sync.WaitGroup
	for w := range 8 { wg.Go(func(){ for i := 0; i < 50; i++ { docs := make([]bson.Raw, 1000); for k := range docs { docs[k] = benchDoc((w*50+i)*1000+k) }; if _, err := c.InsertMany(bg, docs); err != nil { t.Error(err) } } }) }
	wg.Wait()
	rss("400k docs of 400 bytes in bulks by 8")
	for w := range 8 { wg.Go(func(){ n:=0; for range c.Find(bg, docdb.Query{}) { n++ }; _ = w }) }
	wg.Wait()
	rss("8 full scans")
	big := make([]byte, 15<<20)
	for w := range 4 { wg.Go(func(){ for i := 0; i < 3; i++ { if err := c.Insert(bg, doc("_id", fmt.Sprint("big",w,i), "b", big)); err != nil { t.Error(err) } } }) }
	wg.Wait()
	rss("12 of 15 MiB by 4")
	e.Close()
	e = open(t, Config{Dir: dir})
	rss("reopened")
}

// Package hpa drives the real HorizontalController of kube-controller-manager over traces, in virtual time.
//
// The controller is created by its exported constructor with fake clients, and runs with its own queue and
// workers inside a testing/synctest bubble, so that an hour of syncs takes milliseconds. Traces are read from
// the file named by HPA_TRACES, one JSON object a line (see rehearsal/host/kubernetes/hpa/trace.py); what the
// controller did at each step goes to the file named by HPA_DECISIONS.
package hpa

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	v1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	autoscalingclient "k8s.io/client-go/kubernetes/typed/autoscaling/v2"
	v1core "k8s.io/client-go/kubernetes/typed/core/v1"
	autoscalinglisters "k8s.io/client-go/listers/autoscaling/v2"
	corelisters "k8s.io/client-go/listers/core/v1"
	scaleclient "k8s.io/client-go/scale"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
	autoscalingapiv2 "k8s.io/kubernetes/pkg/apis/autoscaling/v2"
	"k8s.io/kubernetes/pkg/controller/podautoscaler"
	"k8s.io/kubernetes/pkg/controller/podautoscaler/metrics"
)

const namespace, name, selector = "default", "subject", "app=subject"

type trace struct {
	ID     string                                    `json:"id"`
	Config config                                    `json:"config"`
	Spec   autoscalingv2.HorizontalPodAutoscalerSpec `json:"spec"`
	Steps  []step                                    `json:"steps"`
}

type config struct {
	Period                  float64 `json:"period"`
	Tolerance               float64 `json:"tolerance"`
	DownscaleStabilization  float64 `json:"downscaleStabilization"`
	CPUInitializationPeriod float64 `json:"cpuInitializationPeriod"`
	InitialReadinessDelay   float64 `json:"initialReadinessDelay"`
}

type step struct {
	SpecReplicas   *int32             `json:"specReplicas"`
	StatusReplicas int32              `json:"statusReplicas"`
	Pods           []pod              `json:"pods"`
	Readings       map[string]reading `json:"readings"`
	Ambiguous      bool               `json:"ambiguous"`
	ScaleError     string             `json:"scaleError"`
	UpdateError    string             `json:"updateError"`
}

type pod struct {
	Name       string      `json:"name"`
	Phase      v1.PodPhase `json:"phase"`
	Deleted    bool        `json:"deleted"`
	Started    *float64    `json:"started"`
	Ready      string      `json:"ready"`
	ReadySince float64     `json:"readySince"`
	Spec       v1.PodSpec  `json:"spec"`
}

type reading struct {
	Error  string                `json:"error"`
	Pods   map[string]podReading `json:"pods"`
	Value  *int64                `json:"value"`
	Values []int64               `json:"values"`
}

type podReading struct {
	Value  int64   `json:"value"`
	Taken  float64 `json:"taken"`
	Window float64 `json:"window"`
}

type decision struct {
	Syncs        int                `json:"syncs"`
	SpecReplicas int32              `json:"specReplicas"`
	Desired      int32              `json:"desired"`
	Current      int32              `json:"current"`
	Conditions   []condition        `json:"conditions"`
	Metrics      []map[string]int64 `json:"metrics"`
}

type condition struct {
	Type    string  `json:"type"`
	Status  string  `json:"status"`
	Reason  string  `json:"reason"`
	Message string  `json:"message"`
	Since   float64 `json:"since"`
}

// world is the cluster that the controller sees. Its lock is never held across a call of the controller.
type world struct {
	sync.Mutex
	began   time.Time
	step    *step
	spec    int32
	syncs   int
	pods    cache.Indexer
	hpas    cache.Indexer
	handler cache.ResourceEventHandler
}

func (w *world) at(seconds float64) time.Time {
	return w.began.Add(time.Duration(seconds * float64(time.Second)))
}

func (w *world) enter(next *step) {
	w.Lock()
	defer w.Unlock()
	w.step, w.syncs = next, 0
	if next.SpecReplicas != nil {
		w.spec = *next.SpecReplicas
	}
	items := make([]interface{}, 0, len(next.Pods))
	for _, p := range next.Pods {
		object := &v1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: p.Name, Namespace: namespace, Labels: map[string]string{"app": "subject"}},
			Spec:       p.Spec,
			Status:     v1.PodStatus{Phase: p.Phase},
		}
		if p.Deleted {
			object.DeletionTimestamp = &metav1.Time{Time: time.Now()}
		}
		if p.Started != nil {
			object.Status.StartTime = &metav1.Time{Time: w.at(*p.Started)}
		}
		if p.Ready != "" {
			object.Status.Conditions = []v1.PodCondition{{
				Type: v1.PodReady, Status: v1.ConditionStatus(p.Ready), LastTransitionTime: metav1.Time{Time: w.at(p.ReadySince)},
			}}
		}
		items = append(items, object)
	}
	if err := w.pods.Replace(items, ""); err != nil {
		panic(err)
	}
}

// -- fakes of what the constructor takes ------------------------------------------------------------------

type podInformer struct {
	cache.SharedIndexInformer
	world *world
}

func (i podInformer) Informer() cache.SharedIndexInformer { return i }
func (i podInformer) HasSynced() bool                     { return true }
func (i podInformer) Lister() corelisters.PodLister       { return corelisters.NewPodLister(i.world.pods) }

type hpaInformer struct {
	cache.SharedIndexInformer
	world *world
}

func (i hpaInformer) Informer() cache.SharedIndexInformer { return i }
func (i hpaInformer) HasSynced() bool                     { return true }
func (i hpaInformer) Lister() autoscalinglisters.HorizontalPodAutoscalerLister {
	return autoscalinglisters.NewHorizontalPodAutoscalerLister(i.world.hpas)
}
func (i hpaInformer) AddEventHandlerWithResyncPeriod(handler cache.ResourceEventHandler, _ time.Duration) (cache.ResourceEventHandlerRegistration, error) {
	i.world.handler = handler
	return nil, nil
}

type hpaClient struct {
	autoscalingclient.HorizontalPodAutoscalerInterface
	world *world
}

func (c hpaClient) HorizontalPodAutoscalers(string) autoscalingclient.HorizontalPodAutoscalerInterface {
	return c
}

func (c hpaClient) UpdateStatus(_ context.Context, hpa *autoscalingv2.HorizontalPodAutoscaler, _ metav1.UpdateOptions) (*autoscalingv2.HorizontalPodAutoscaler, error) {
	old, _, _ := c.world.hpas.GetByKey(namespace + "/" + hpa.Name)
	// Only the status is written: the controller fills in a default of the spec on its own copy.
	stored := old.(*autoscalingv2.HorizontalPodAutoscaler).DeepCopy()
	stored.Status = *hpa.Status.DeepCopy()
	if err := c.world.hpas.Update(stored); err != nil {
		return nil, err
	}
	c.world.handler.OnUpdate(old, stored)
	return stored, nil
}

type scales struct{ world *world }

func (s scales) Scales(string) scaleclient.ScaleInterface { return s }

func (s scales) Get(_ context.Context, _ schema.GroupResource, target string, _ metav1.GetOptions) (*autoscalingv1.Scale, error) {
	s.world.Lock()
	defer s.world.Unlock()
	if target == name {
		s.world.syncs++
		if s.world.step.ScaleError != "" {
			return nil, errors.New(s.world.step.ScaleError)
		}
	}
	replicas := s.world.spec
	if target != name {
		replicas = 3
	}
	return &autoscalingv1.Scale{
		ObjectMeta: metav1.ObjectMeta{Name: target, Namespace: namespace},
		Spec:       autoscalingv1.ScaleSpec{Replicas: replicas},
		Status:     autoscalingv1.ScaleStatus{Replicas: s.world.step.StatusReplicas, Selector: selector},
	}, nil
}

func (s scales) Update(_ context.Context, _ schema.GroupResource, scale *autoscalingv1.Scale, _ metav1.UpdateOptions) (*autoscalingv1.Scale, error) {
	s.world.Lock()
	defer s.world.Unlock()
	if s.world.step.UpdateError != "" && scale.Name == name {
		s.world.syncs-- // the controller reads the scale again after a failed update
		return nil, errors.New(s.world.step.UpdateError)
	}
	if scale.Name == name {
		s.world.spec = scale.Spec.Replicas
	}
	return scale, nil
}

func (s scales) Patch(context.Context, schema.GroupVersionResource, string, types.PatchType, []byte, metav1.PatchOptions) (*autoscalingv1.Scale, error) {
	return nil, errors.New("not used")
}

type metricsClient struct{ world *world }

func (c metricsClient) find(key string) (reading, error) {
	c.world.Lock()
	defer c.world.Unlock()
	found, ok := c.world.step.Readings[key]
	if !ok {
		return found, errors.New("no reading " + key)
	}
	if found.Error != "" {
		return found, errors.New(found.Error)
	}
	return found, nil
}

func (c metricsClient) pods(key string) (metrics.PodMetricsInfo, time.Time, error) {
	found, err := c.find(key)
	if err != nil {
		return nil, time.Time{}, err
	}
	info := metrics.PodMetricsInfo{}
	for pod, value := range found.Pods {
		info[pod] = metrics.PodMetric{
			Value: value.Value, Timestamp: c.world.at(value.Taken), Window: time.Duration(value.Window * float64(time.Second)),
		}
	}
	return info, time.Now(), nil
}

func (c metricsClient) GetResourceMetric(_ context.Context, resource v1.ResourceName, _ string, _ labels.Selector, container string) (metrics.PodMetricsInfo, time.Time, error) {
	return c.pods(string(resource) + "/" + container)
}

func (c metricsClient) GetRawMetric(metric string, _ string, _, _ labels.Selector) (metrics.PodMetricsInfo, time.Time, error) {
	return c.pods(metric)
}

func (c metricsClient) GetObjectMetric(metric string, _ string, _ *autoscalingv2.CrossVersionObjectReference, _ labels.Selector) (int64, time.Time, error) {
	found, err := c.find(metric)
	if err != nil {
		return 0, time.Time{}, err
	}
	return *found.Value, time.Now(), nil
}

func (c metricsClient) GetExternalMetric(metric, _ string, _ labels.Selector) ([]int64, time.Time, error) {
	found, err := c.find(metric)
	if err != nil {
		return nil, time.Time{}, err
	}
	return found.Values, time.Now(), nil
}

type events struct{ v1core.EventInterface }

func (e events) Events(string) v1core.EventInterface { return e }
func (e events) CreateWithEventNamespace(event *v1.Event) (*v1.Event, error) {
	return event, nil
}
func (e events) UpdateWithEventNamespace(event *v1.Event) (*v1.Event, error) {
	return event, nil
}
func (e events) PatchWithEventNamespace(event *v1.Event, _ []byte) (*v1.Event, error) {
	return event, nil
}

// -- the run ----------------------------------------------------------------------------------------------

func autoscaler(called string, spec autoscalingv2.HorizontalPodAutoscalerSpec) *autoscalingv2.HorizontalPodAutoscaler {
	spec.ScaleTargetRef = autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: called}
	hpa := &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Name: called, Namespace: namespace, UID: types.UID(called)}, Spec: *spec.DeepCopy(),
	}
	// The API server fills in defaults, and writes quantities in their canonical form.
	autoscalingapiv2.SetDefaults_HorizontalPodAutoscaler(hpa)
	canonical := &autoscalingv2.HorizontalPodAutoscaler{}
	text, err := json.Marshal(hpa)
	if err == nil {
		err = json.Unmarshal(text, canonical)
	}
	if err != nil {
		panic(err)
	}
	return canonical
}

func decide(t *testing.T, given trace) []decision {
	found := make([]decision, 0, len(given.Steps))
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(klog.NewContext(context.Background(), logr.Discard()))
		index := cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc}
		w := &world{
			began: time.Now(),
			pods:  cache.NewIndexer(cache.MetaNamespaceKeyFunc, index),
			hpas:  cache.NewIndexer(cache.MetaNamespaceKeyFunc, index),
		}
		mapper := apimeta.NewDefaultRESTMapper([]schema.GroupVersion{{Group: "apps", Version: "v1"}})
		mapper.Add(schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}, apimeta.RESTScopeNamespace)
		seconds := func(value float64) time.Duration { return time.Duration(value * float64(time.Second)) }
		period := seconds(given.Config.Period)
		controller := podautoscaler.NewHorizontalController(
			ctx, events{}, scales{w}, hpaClient{world: w}, mapper, metricsClient{w}, hpaInformer{world: w}, podInformer{world: w},
			period, seconds(given.Config.DownscaleStabilization), given.Config.Tolerance,
			seconds(given.Config.CPUInitializationPeriod), seconds(given.Config.InitialReadinessDelay),
		)
		add := func(hpa *autoscalingv2.HorizontalPodAutoscaler) {
			if err := w.hpas.Add(hpa); err != nil {
				t.Fatal(err)
			}
			w.handler.OnAdd(hpa, false)
		}
		done := make(chan struct{})
		go func() {
			controller.Run(ctx, 1)
			close(done)
		}()
		// Its worker starts after a query of the informers' state, which it does every 100 ms.
		time.Sleep(time.Second)
		synctest.Wait()
		w.began = time.Now()
		w.enter(&given.Steps[0])
		add(autoscaler(name, given.Spec))
		for number := range given.Steps {
			if number > 0 {
				w.enter(&given.Steps[number])
				time.Sleep(time.Until(w.began.Add(time.Duration(number) * period)))
			}
			synctest.Wait()
			found = append(found, w.report())
			if given.Steps[number].Ambiguous && number == 0 {
				// Its selector counts from its first sync that read metrics, which is at once.
				add(autoscaler("rival", autoscalingv2.HorizontalPodAutoscalerSpec{MaxReplicas: 100}))
				synctest.Wait()
			}
		}
		cancel()
		<-done
	})
	return found
}

func (w *world) report() decision {
	item, _, _ := w.hpas.GetByKey(namespace + "/" + name)
	status := item.(*autoscalingv2.HorizontalPodAutoscaler).Status
	w.Lock()
	defer w.Unlock()
	found := decision{Syncs: w.syncs, SpecReplicas: w.spec, Desired: status.DesiredReplicas, Current: status.CurrentReplicas}
	for _, c := range status.Conditions {
		found.Conditions = append(found.Conditions, condition{
			string(c.Type), string(c.Status), c.Reason, c.Message, c.LastTransitionTime.Sub(w.began).Seconds(),
		})
	}
	for _, m := range status.CurrentMetrics {
		values := map[string]int64{}
		current := autoscalingv2.MetricValueStatus{}
		switch {
		case m.Resource != nil:
			current = m.Resource.Current
		case m.ContainerResource != nil:
			current = m.ContainerResource.Current
		case m.Pods != nil:
			current = m.Pods.Current
		case m.Object != nil:
			current = m.Object.Current
		case m.External != nil:
			current = m.External.Current
		}
		if current.AverageUtilization != nil {
			values["utilization"] = int64(*current.AverageUtilization)
		}
		if current.AverageValue != nil {
			values["average"] = current.AverageValue.MilliValue()
		}
		if current.Value != nil {
			values["value"] = current.Value.MilliValue()
		}
		found.Metrics = append(found.Metrics, values)
	}
	return found
}

func TestDecisions(t *testing.T) {
	input, output := os.Getenv("HPA_TRACES"), os.Getenv("HPA_DECISIONS")
	if input == "" || output == "" {
		t.Skip("HPA_TRACES and HPA_DECISIONS name the files")
	}
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)
	utilruntime.ErrorHandlers = nil
	// It compares resource versions of the informer's cache, which the fakes have none of.
	if err := utilfeature.DefaultMutableFeatureGate.Set("StaleControllerConsistencyHPA=false"); err != nil {
		t.Fatal(err)
	}
	source, err := os.Open(input)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	target, err := os.Create(output)
	if err != nil {
		t.Fatal(err)
	}
	writer := bufio.NewWriter(target)
	decoder, encoder := json.NewDecoder(bufio.NewReader(source)), json.NewEncoder(writer)
	for {
		var given trace
		if err := decoder.Decode(&given); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if err := encoder.Encode(map[string]any{"id": given.ID, "decisions": decide(t, given)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(writer.Flush(), target.Close()); err != nil {
		t.Fatal(err)
	}
}

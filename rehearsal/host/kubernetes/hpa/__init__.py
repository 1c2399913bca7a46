"""HorizontalPodAutoscaler as kube-controller-manager 1.37 implements it (`pkg/controller/podautoscaler`)."""
